import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, before, describe, test, type TestContext } from "node:test";
import { storeEvents } from "../../src/core/event-channels.ts";
import type { StoreEvent } from "../../src/core/events.ts";
import { RESTORE_WINDOW_MS } from "../../src/stores/redis/acknowledged-writes.ts";
import { redisStore } from "../../src/stores/redis.ts";
import type { Store } from "../../src/stores/store.ts";
import type { UserRecord } from "../../src/stores/user-store.ts";
import { noRedis, RedisServer, waitUntil } from "../support/redis-servers.ts";

const ALICE: UserRecord = {
  username: "alice",
  subject: "a",
  passwordHash: "h",
  scopes: ["read"],
  createdAt: 1,
  mac: "m1",
  loginKey: "alice",
  disabledAt: null,
};

void describe("changes of users that Redis has lost", { skip: noRedis }, () => {
  let server: RedisServer;
  before(async () => (server = await RedisServer.start()));
  after(async () => await server.stop());

  async function open(t: TestContext, prefix: string): Promise<Store> {
    const store = await redisStore({ url: server.url, prefix, commandTimeoutMs: 2000 });
    t.after(async () => await store.close());
    return store;
  }

  /** Puts the record and its number back, as a failover does that loses the last change. */
  async function rollBack(prefix: string, record: UserRecord): Promise<void> {
    await server.cli("HSET", `${prefix}{users}`, "alice", JSON.stringify(record));
    await server.cli("HSET", `${prefix}{users}:subjects`, record.subject, "alice");
    await server.cli("ZADD", `${prefix}{users}:names`, "0", "alice");
    await server.cli("DEL", `${prefix}{users}:change:alice`);
  }

  /** Removes the entries in force, cuts the connections, and waits for the events that tell of them. */
  async function interrupt(t: TestContext, prefix: string, expected: number): Promise<string[]> {
    const events: StoreEvent[] = [];
    const collect = (event: unknown) => void events.push(event as StoreEvent);
    storeEvents.subscribe(collect);
    t.after(() => storeEvents.unsubscribe(collect));
    await server.cli("ZREMRANGEBYSCORE", `${prefix}{store}:in-force`, "-inf", "(inf");
    await server.cli("CLIENT", "KILL", "TYPE", "normal");
    const told = () => events.filter(({ event }) => event === "writes_restored");
    await waitUntil(async () => told().length >= expected, "the event");
    return told().map(({ message }) => message);
  }

  /** Appends an entry, whose loss makes the process publish an event. */
  async function append(store: Store, id: string): Promise<void> {
    const until = Date.now() + 3_600_000;
    await store.revocations.append({ kind: "token", id, issuer: "https://id.example.com", until });
  }

  for (const [what, change] of [
    [
      "a new password",
      async (store: Store) => await store.users.replace({ ...ALICE, passwordHash: "new", mac: "m2" }, "m1"),
    ],
    [
      "a disabled user",
      async (store: Store) => await store.users.replace({ ...ALICE, disabledAt: 5, mac: "m2" }, "m1"),
    ],
    [
      "other scopes",
      async (store: Store) => await store.users.replace({ ...ALICE, scopes: [], mac: "m2" }, "m1"),
    ],
    ["a removed user", async (store: Store) => await store.users.remove("alice", "m1")],
  ] as const) {
    void test(`fault 64: a failover that lost ${what} does not undo it`, async (t) => {
      const prefix = `${randomBytes(6).toString("hex")}:`;
      const store = await open(t, prefix);
      await store.users.add(ALICE);
      await change(store);
      const changed = await store.users.get("alice");
      await rollBack(prefix, ALICE);
      await append(store, "t1");
      const [message] = await interrupt(t, prefix, 1);
      assert.match(message ?? "", /revocations: 1, changes of users: 1$/);
      assert.deepEqual(await store.users.get("alice"), changed);
    });
  }

  void test("fault 64: a lost change of a user whose record was damaged since is applied again", async (t) => {
    const prefix = `${randomBytes(6).toString("hex")}:`;
    const store = await open(t, prefix);
    await store.users.add(ALICE);
    await rollBack(prefix, ALICE);
    await server.cli("HSET", `${prefix}{users}`, "alice", '{"username":"al');
    await append(store, "t1");
    const [message] = await interrupt(t, prefix, 1);
    assert.match(message ?? "", /changes of users: 1$/);
    assert.deepEqual(await store.users.get("alice"), ALICE);
  });

  void test("fault 64: a change by another process stays when the first process looks for lost changes", async (t) => {
    const prefix = `${randomBytes(6).toString("hex")}:`;
    const [first, second] = [await open(t, prefix), await open(t, prefix)];
    await first.users.add(ALICE);
    await first.users.replace({ ...ALICE, disabledAt: 5, mac: "m2" }, "m1");
    // The user is enabled again, so the record is the one that the first process had replaced.
    await second.users.replace(ALICE, "m2");
    await append(first, "t1");
    assert.deepEqual(await interrupt(t, prefix, 1), [
      `redis ${new URL(server.url).host} had lost acknowledged writes in a failover; applied again: revocations: 1`,
    ]);
    assert.deepEqual(await first.users.get("alice"), ALICE);

    // A later change on the rolled back record stays as well.
    await first.users.replace({ ...ALICE, disabledAt: 7, mac: "m3" }, "m1");
    await rollBack(prefix, ALICE);
    assert.equal(await second.users.remove("alice", "m1"), "removed");
    await append(first, "t2");
    await interrupt(t, prefix, 1);
    assert.equal(await first.users.get("alice"), null);
  });

  for (const [what, replaceUser] of [
    [
      "its name to another user",
      async (prefix: string) => {
        await server.cli("HSET", `${prefix}{users}`, "alice", JSON.stringify({ ...ALICE, subject: "b" }));
        await server.cli("HSET", `${prefix}{users}:subjects`, "b", "alice");
        await server.cli("HDEL", `${prefix}{users}:subjects`, "a");
      },
    ],
    [
      "its subject to another user",
      async (prefix: string) => {
        await server.cli("HDEL", `${prefix}{users}`, "alice");
        await server.cli("HSET", `${prefix}{users}`, "bob", JSON.stringify({ ...ALICE, username: "bob" }));
        await server.cli("HSET", `${prefix}{users}:subjects`, "a", "bob");
      },
    ],
  ] as const) {
    void test(`fault 64: a lost change of a user stays lost after an older version gave ${what}`, async (t) => {
      const prefix = `${randomBytes(6).toString("hex")}:`;
      const store = await open(t, prefix);
      await store.users.add(ALICE);
      await store.users.replace({ ...ALICE, scopes: ["admin"], mac: "m2" }, "m1");
      // An older version writes no number of the change.
      await server.cli("DEL", `${prefix}{users}:change:alice`);
      await replaceUser(prefix);
      const users = [await store.users.get("alice"), await store.users.getBySubject("a")];
      await append(store, "t1");
      const [message] = await interrupt(t, prefix, 1);
      assert.match(message ?? "", /: revocations: 1$/);
      assert.deepEqual([await store.users.get("alice"), await store.users.getBySubject("a")], users);
    });
  }

  void test("fault 64: a change has a greater number than one of a server whose clock was ahead", async (t) => {
    const prefix = `${randomBytes(6).toString("hex")}:`;
    const store = await open(t, prefix);
    await store.users.add(ALICE);
    const ahead = String(Date.now() + 3_600_000);
    await server.cli("SET", `${prefix}{users}:change:alice`, ahead);
    const changed = { ...ALICE, passwordHash: "new", mac: "m2" };
    await store.users.replace(changed, "m1");
    await rollBack(prefix, ALICE);
    await server.cli("SET", `${prefix}{users}:change:alice`, ahead);
    await append(store, "t1");
    await interrupt(t, prefix, 1);
    assert.deepEqual(await store.users.get("alice"), changed);
  });

  void test("fault 64: the number of a change outlives the time in which a process looks for lost changes", async (t) => {
    const prefix = `${randomBytes(6).toString("hex")}:`;
    const store = await open(t, prefix);
    await store.users.add(ALICE);
    for (const change of [
      async () => await store.users.replace({ ...ALICE, mac: "m2" }, "m1"),
      async () => await store.users.remove("alice", "m2"),
    ]) {
      await change();
      const rest = await server.cli("PTTL", `${prefix}{users}:change:alice`);
      assert.ok(Number(rest?.slice(1)) > RESTORE_WINDOW_MS, rest ?? "");
    }
  });
});
