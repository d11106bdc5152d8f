import assert from "node:assert/strict";
import { after, before, describe, test, type TestContext } from "node:test";
import { createClient } from "redis";
import type { Revocation } from "../../src/core/revocation.ts";
import { ABSOLUTE_MS, ISSUER } from "../../src/stores/conformance/constants.ts";
import { acknowledge, createSession, digest, logIn, present } from "../../src/stores/conformance/fixtures.ts";
import { redisStore } from "../../src/stores/redis.ts";
import { EXPIRED_RETENTION_MS } from "../../src/stores/retention.ts";
import { FakeClock } from "../../src/testing/fake-clock.ts";
import { noRedis, RedisServer } from "../support/redis-servers.ts";

/** How much the rest of a lifetime may shrink between a write and the look at it. It is less than two lives differ. */
const SLACK_MS = 9000;
const NOW = Date.UTC(2030, 0, 1);

function onReuse(id: string): { onReuse: Revocation } {
  return { onReuse: { kind: "session", id, issuer: ISSUER, until: NOW + 3_600_000 } };
}

void describe("rotations that share a script call on Redis", { skip: noRedis }, () => {
  let server: RedisServer;
  before(async () => (server = await RedisServer.start(["appendfsync no"])));
  after(async () => await server.stop());

  async function open(t: TestContext) {
    const clock = new FakeClock(NOW);
    const raw = await createClient({ url: server.url, RESP: 2 }).connect();
    await raw.flushAll();
    const store = await redisStore({ url: server.url, clock, durability: "unchecked" });
    t.after(async () => {
      raw.destroy();
      await store.close();
    });
    return { clock, raw, store };
  }

  void test("forty concurrent rotations take four calls of the script", async (t) => {
    const { store, raw } = await open(t);
    const ids = Array.from({ length: 40 }, (_, i) => `many${i}`);
    for (const id of ids) await logIn(store, id);
    await present(store, "many0", 1);
    await raw.configResetStat();

    const outcomes = await Promise.all(
      ids.map(async (id) => await present(store, id, id === "many0" ? 2 : 1, onReuse(id))),
    );

    assert.deepEqual(
      outcomes.map(({ outcome }) => outcome),
      ids.map(() => "rotated"),
    );
    for (const [i, id] of ids.entries()) {
      const { outcome, session } = outcomes[i] as { outcome: string; session: { id: string } };
      assert.equal(outcome, "rotated");
      assert.equal(session.id, id);
      const stored = await store.sessions.get(id);
      assert.equal(stored?.currentDigest, digest(id, id === "many0" ? 3 : 2));
    }
    const [, calls] = /cmdstat_evalsha:calls=(\d+)/.exec(await raw.info("commandstats")) ?? [];
    // One rotation alone, then 16, 16 and 7 together. The others read a session each.
    assert.equal(Number(calls), 4 + ids.length);
  });

  void test("each rotation of a shared call has its own outcome", async (t) => {
    const { store, clock, raw } = await open(t);
    for (const id of ["first", "current", "spent", "acknowledged", "wrong"]) await logIn(store, id);
    for (const id of ["spent", "acknowledged"]) await present(store, id, 1);
    await acknowledge(store, "acknowledged", 2);
    await raw.set("holdfast:{session:newer}", "9".repeat(900));
    await raw.lPush("holdfast:{session:foreign}", "a list");
    await clock.advance(1);

    const results = await Promise.allSettled([
      present(store, "first", 1, onReuse("first")),
      present(store, "current", 1, onReuse("current")),
      present(store, "current", 1, onReuse("current")),
      present(store, "current", 2, onReuse("current")),
      present(store, "spent", 1, onReuse("spent")),
      present(store, "acknowledged", 1, onReuse("acknowledged")),
      present(store, "wrong", 1, { ...onReuse("wrong"), presentedDigest: "another" }),
      present(store, "missing", 1, onReuse("missing")),
      present(store, "newer", 1, onReuse("newer")),
      present(store, "foreign", 1, onReuse("foreign")),
    ]);

    assert.deepEqual(
      results.map((one) =>
        one.status === "fulfilled" ? one.value.outcome : (one.reason as { code: string }).code,
      ),
      [
        "rotated",
        "rotated",
        "repeated",
        "rotated",
        "repeated",
        "conflict",
        "forked",
        "unknown",
        "store_newer",
        "store_corrupt",
      ],
    );
    assert.equal((await store.sessions.get("current"))?.generation, 3);
  });

  void test("each session of a shared call keeps its own durations, and none outlives its absolute end", async (t) => {
    const { store, clock, raw } = await open(t);
    const durations = [
      { id: "first", idleMs: 60_000, lostAnswerMs: 1000 },
      { id: "short", idleMs: 120_000, lostAnswerMs: 2000 },
      { id: "long", idleMs: 180_000, lostAnswerMs: 3000 },
      { id: "short again", idleMs: 120_000, lostAnswerMs: 2000 },
      { id: "to the absolute end", idleMs: ABSOLUTE_MS, lostAnswerMs: 3000 },
      { id: "long again", idleMs: 180_000, lostAnswerMs: 1000 },
    ];
    const mark = await store.sessions.mark();
    for (const { id, idleMs } of durations) {
      assert.equal((await createSession(store, id, mark, "alice", { idleMs })).status, "created");
    }
    await clock.advance(10_000);
    const outcomes = await Promise.all(
      durations.map(
        async ({ id, lostAnswerMs }) => await present(store, id, 1, { ...onReuse(id), lostAnswerMs }),
      ),
    );
    for (const [i, { id, idleMs, lostAnswerMs }] of durations.entries()) {
      const one = outcomes[i];
      assert.ok(one?.outcome === "rotated", id);
      const idleExpiresAt = Math.min(clock.now() + idleMs, NOW + ABSOLUTE_MS);
      assert.equal(one.session.idleMs, idleMs, id);
      assert.equal(one.session.idleExpiresAt, idleExpiresAt, id);
      assert.equal(one.session.lostAnswerEndsAt, clock.now() + lostAnswerMs, id);
      const life = idleExpiresAt - clock.now() + EXPIRED_RETENTION_MS;
      const rest = await raw.pTTL(`holdfast:{session:${id}}`);
      assert.ok(rest <= life && rest > life - SLACK_MS, `${id}: ${rest} ms of ${life} ms`);
    }
  });

  void test("a call that fails rejects all its rotations, and the next one succeeds", async (t) => {
    const { store, raw } = await open(t);
    const ids = ["one", "two", "three"];
    for (const id of ids) await logIn(store, id);
    await raw.hSet("holdfast:{store}", "format", "99");
    const failed = await Promise.allSettled(ids.map(async (id) => await present(store, id, 1, onReuse(id))));
    assert.deepEqual(
      failed.map((one) => one.status === "rejected" && (one.reason as { code: string }).code),
      ids.map(() => "store_newer"),
    );
    await raw.hSet("holdfast:{store}", "format", "1");
    const outcomes = await Promise.all(
      ids.map(async (id) => (await present(store, id, 1, onReuse(id))).outcome),
    );
    assert.deepEqual(outcomes, ["rotated", "rotated", "rotated"]);
  });
});
