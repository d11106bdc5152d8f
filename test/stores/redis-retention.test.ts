import assert from "node:assert/strict";
import { after, before, describe, test, type TestContext } from "node:test";
import {
  acknowledge,
  digest,
  makeRevocation,
  present,
  subjectScope,
} from "../../src/stores/conformance/fixtures.ts";
import { redisStore } from "../../src/stores/redis.ts";
import { EXPIRED_RETENTION_MS } from "../../src/stores/retention.ts";
import type { Store } from "../../src/stores/store.ts";
import { noRedis, RedisServer } from "../support/redis-servers.ts";

const DAY_MS = 24 * 60 * 60 * 1000;
const IDLE_MS = 60 * DAY_MS;
const ABSOLUTE_MS = 400 * DAY_MS;
/** How much the rest of a lifetime may shrink between a write and the look at it. */
const SLACK_MS = 120_000;

void describe("how long Redis keeps a session", { skip: noRedis }, () => {
  let server: RedisServer;
  before(async () => (server = await RedisServer.start(["appendfsync no"])));
  after(async () => await server.stop());

  const open = async (t: TestContext): Promise<Store> => {
    const store = await redisStore({ url: server.url, durability: "unchecked" });
    t.after(async () => await store.close());
    return store;
  };
  const create = async (store: Store, id: string) => {
    const authAt = await store.now();
    const facts = { id, subject: "alice", authAt, absoluteExpiresAt: authAt + ABSOLUTE_MS, facts: "{}" };
    const keys = { mac: "mac", currentDigest: digest(id, 1), mark: await store.sessions.mark() };
    const created = await store.sessions.create({ ...facts, ...keys, idleMs: IDLE_MS });
    assert.equal(created.status, "created");
  };

  /** Shortens the rest of the key's lifetime, as if it had been written long ago. */
  const age = async (id: string) => await server.cli("PEXPIRE", `holdfast:{session:${id}}`, "600000");
  const assertKeptFor = async (id: string, expected: number, what: string) => {
    const reply = await server.cli("PTTL", `holdfast:{session:${id}}`);
    const rest = Number(reply?.match(/^:(-?\d+)/)?.[1]);
    assert.ok(
      rest <= expected && rest > expected - SLACK_MS,
      `${what}: ${rest} ms instead of ${expected} ms`,
    );
  };
  const FULL_MS = IDLE_MS + EXPIRED_RETENTION_MS;

  test("until a day after its idle time, counted again from each refresh", async (t) => {
    const store = await open(t);
    await create(store, "s1");
    await assertKeptFor("s1", FULL_MS, "login");
    const steps: [string, () => Promise<string>, string][] = [
      ["first refresh", async () => (await present(store, "s1", 1)).outcome, "rotated"],
      ["repeated refresh", async () => (await present(store, "s1", 1)).outcome, "repeated"],
      ["acknowledgement", async () => await acknowledge(store, "s1", 2), "acknowledged"],
      ["next refresh", async () => (await present(store, "s1", 2)).outcome, "rotated"],
    ];
    for (const [what, step, outcome] of steps) {
      await age("s1");
      assert.equal(await step(), outcome, what);
      await assertKeptFor("s1", FULL_MS, what);
    }
  });

  test("after its end, so that a clock that was set back cannot revive it", async (t) => {
    const store = await open(t);
    for (const id of ["s2", "s3"]) {
      await create(store, id);
      await age(id);
    }
    await store.sessions.end("s2", "logout", await makeRevocation(store, "session", "s2"));
    await assertKeptFor("s2", FULL_MS, "logout");
    await store.sessions.endAll("alice", "logout_all", await subjectScope(store));
    await assertKeptFor("s3", FULL_MS, "logout everywhere");
  });
});
