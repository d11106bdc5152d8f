import assert from "node:assert/strict";
import { after, before, describe, test, type TestContext } from "node:test";
import { createClient } from "redis";
import { storeEvents } from "../../src/core/event-channels.ts";
import { isHoldfastError } from "../../src/core/errors.ts";
import { logIn, makeRevocation, present } from "../../src/stores/conformance/fixtures.ts";
import { redisStore } from "../../src/stores/redis.ts";
import { FakeClock } from "../../src/testing/fake-clock.ts";
import { noRedis, RedisServer } from "../support/redis-servers.ts";

/** Where fields of the head begin. */
const FIELDS = { generation: 1, idleMs: 24 };

const USER = { passwordHash: "h", scopes: ["read"], createdAt: 1, mac: "m", disabledAt: null };
const EVENT = { kind: "login", subject: "a", session: "s", source: null, actor: null, detail: null } as const;

function replaceAt(record: string, start: number, field: string): string {
  return record.slice(0, start) + field + record.slice(start + field.length);
}

function readCode(error: unknown): string {
  assert.ok(isHoldfastError(error));
  return error.code;
}

/** Without an end a refresh would call the script until the store closes. */
const ENDS = { timeout: 20_000 };

void describe("sessions in Redis whose record has no session or is damaged", { skip: noRedis }, () => {
  let server: RedisServer;
  before(async () => (server = await RedisServer.start(["appendfsync no"])));
  after(async () => await server.stop());

  async function open(t: TestContext) {
    const raw = await createClient({ url: server.url, RESP: 2 }).connect();
    await raw.flushAll();
    const store = await redisStore({ url: server.url, durability: "unchecked" });
    t.after(async () => {
      raw.destroy();
      await store.close();
    });
    return { raw, store };
  }

  test("a refresh of a deleted session that an older version has cut off is unknown", ENDS, async (t) => {
    const { store, raw } = await open(t);
    await logIn(store, "one");
    await raw.del("holdfast:{session:one}");
    await raw.hSet("holdfast:{session:one}", "cutAt", "5");
    assert.equal((await present(store, "one", 1)).outcome, "unknown");
  });

  test(
    "a refresh of a record that is too short for a session fails, and the error names the session",
    ENDS,
    async (t) => {
      const { store, raw } = await open(t);
      await logIn(store, "one");
      await raw.set("holdfast:{session:one}", "2");
      await assert.rejects(present(store, "one", 1), (error) => {
        assert.ok(isHoldfastError(error, "store_corrupt"));
        assert.equal(error.message, "Redis: the record of session one is damaged");
        return true;
      });
    },
  );

  test("one session of a newer version does not say that the process writes nothing", ENDS, async (t) => {
    const { store, raw } = await open(t);
    const events: unknown[] = [];
    const listener = (event: unknown) => void events.push(event);
    storeEvents.subscribe(listener);
    t.after(() => storeEvents.unsubscribe(listener));
    await raw.set("holdfast:{session:newer}", "9 of another form");
    await assert.rejects(store.sessions.get("newer"), (error) => isHoldfastError(error, "store_newer"));
    assert.deepEqual(events, []);
  });

  /** Each replaces one field of the head of a record. */
  const damages: readonly [string, (record: string) => string][] = [
    ["a field that is no number", (record) => replaceAt(record, FIELDS.generation, "x".repeat(10))],
    ["an idle time below 0", (record) => replaceAt(record, FIELDS.idleMs, "-999999999999")],
  ];
  for (const [damage, apply] of damages) {
    test(`${damage} fails the refresh of its session only`, ENDS, async (t) => {
      const { store, raw } = await open(t);
      const ids = Array.from({ length: 9 }, (_, i) => `s${i}`);
      for (const id of ids) await logIn(store, id);
      const damaged = apply((await raw.get("holdfast:{session:s5}")) ?? "");
      await raw.set("holdfast:{session:s5}", damaged);

      const settled = await Promise.allSettled(
        ids.map(
          async (id) => await present(store, id, 1, { onReuse: await makeRevocation(store, "session", id) }),
        ),
      );

      assert.deepEqual(
        settled.map((one) => (one.status === "fulfilled" ? one.value.outcome : readCode(one.reason))),
        ids.map((id) => (id === "s5" ? "store_corrupt" : "rotated")),
      );
      assert.equal(await raw.get("holdfast:{session:s5}"), damaged);
    });
  }

  /** The facts of a session that no parser reads, and fields that are no numbers. */
  const harms: readonly [string, (record: string) => string][] = [
    ["facts that are no JSON", (record) => record.slice(0, -1)],
    ["facts that are no object", (record) => `${record.slice(0, record.indexOf("{"))}5`],
    ["a field that is no number", (record) => replaceAt(record, FIELDS.idleMs, "x".repeat(13))],
    ["too few characters", () => "2"],
    ["no characters", () => ""],
    ["half of its characters", (record) => record.slice(0, record.length / 2)],
    ["a first character that no version writes", (record) => `x${record.slice(1)}`],
  ];
  for (const [damage, apply] of harms) {
    test(`a record with ${damage} is store_corrupt, and keeps no other session of its user from the list or from its end`, async (t) => {
      const { store, raw } = await open(t);
      const ids = ["s1", "s2", "s3"];
      for (const id of ids) await logIn(store, id);
      await raw.set("holdfast:{session:s2}", apply((await raw.get("holdfast:{session:s2}")) ?? ""));

      const isDamaged = (error: unknown) => {
        assert.ok(isHoldfastError(error, "store_corrupt"), String(error));
        assert.equal(error.message, "Redis: the record of session s2 is damaged");
        return true;
      };
      await assert.rejects(store.sessions.get("s2"), isDamaged);
      await assert.rejects(present(store, "s2", 1), isDamaged);
      await store.sessions.acknowledge({ sessionId: "s2", generation: 1, digest: null });
      const { sessions, unreadable } = await store.sessions.listBySubject("alice", { limit: 10 });
      assert.deepEqual(sessions.map(({ id }) => id).toSorted(), ["s1", "s3"]);
      assert.deepEqual(unreadable, ["s2"]);
      const revocation = await makeRevocation(store, "session", "s1");
      assert.equal(await store.sessions.endAll("alice", "logout_all", revocation), 2);
      for (const id of ids) assert.equal((await store.sessions.get(id))?.endReason, "logout_all");
      assert.equal((await present(store, "s2", 1)).outcome, "ended");
      const { entries } = await store.revocations.snapshot();
      assert.ok(entries.some(({ revocation: one }) => one.kind === "session" && one.id === "s2"));
    });

    test(`a session whose record has ${damage} ends by its id, and a refresh finds it ended`, async (t) => {
      const { store, raw } = await open(t);
      await logIn(store, "one");
      const key = "holdfast:{session:one}";
      await raw.set(key, apply((await raw.get(key)) ?? ""), { expiration: { type: "PX", value: 60_000 } });

      await store.sessions.end("one", "revoked", await makeRevocation(store, "session", "one"));

      assert.equal((await present(store, "one", 1)).outcome, "ended");
      assert.equal((await store.sessions.get("one"))?.endReason, "revoked");
      assert.ok((await raw.pTTL(key)) > 0, "the ended session expires");
      const { sessions, unreadable } = await store.sessions.listBySubject("alice", { limit: 10 });
      assert.deepEqual([sessions, unreadable], [[], []]);
    });
  }

  test(
    "a damaged hash of an earlier version is store_corrupt for a read and for a refresh",
    ENDS,
    async (t) => {
      const { store, raw } = await open(t);
      await raw.hSet("holdfast:{session:old}", { fixed: "{}", state: '{"generation":' });
      for (const attempt of [store.sessions.get("old"), present(store, "old", 1)]) {
        await assert.rejects(attempt, (error) => isHoldfastError(error, "store_corrupt"));
      }
    },
  );
});

void describe("users, keys and audit events in Redis whose record is damaged", { skip: noRedis }, () => {
  let server: RedisServer;
  before(async () => (server = await RedisServer.start(["appendfsync no"])));
  after(async () => await server.stop());

  test("a damaged record is store_corrupt without its content, and hides no other record", async (t) => {
    const clock = new FakeClock();
    const raw = await createClient({ url: server.url, RESP: 2 }).connect();
    const store = await redisStore({ url: server.url, durability: "unchecked", clock });
    t.after(async () => {
      raw.destroy();
      await store.close();
    });
    const named = (username: string) => ({ ...USER, username, subject: username, loginKey: username });
    for (const name of ["ann", "bob", "cem"]) await store.users.add(named(name));
    await raw.hSet("holdfast:{users}", "bob", '{"username":"bob","passwordHash":"secret');

    await assert.rejects(store.users.get("bob"), (error) => {
      assert.ok(isHoldfastError(error, "store_corrupt"));
      assert.equal(error.message, "Redis: the record of a user is damaged");
      assert.equal(error.cause, undefined);
      return true;
    });
    const listed = await store.users.list({ limit: 3 });
    assert.deepEqual(
      listed.map(({ username, mac }) => [username, mac]),
      [
        ["ann", "m"],
        ["bob", ""],
        ["cem", "m"],
      ],
    );

    await store.audit.append({ ...EVENT, at: clock.now() });
    const damages = ["no JSON", "{}", "5", "null", '"x"', "[]", '{"kind":"login","at":"soon"}'];
    await raw.rPush("holdfast:{audit}", damages);
    assert.equal((await store.audit.recent(10)).length, 1);
    await store.prune();
    assert.equal(await raw.lLen("holdfast:{audit}"), 1, "a damaged event does not stay for ever");

    for (const keys of ["[", "{}"]) {
      await raw.hSet("holdfast:{store}", "keys", keys);
      await assert.rejects(store.keys.list(), (error) => isHoldfastError(error, "store_corrupt"));
    }
  });
});
