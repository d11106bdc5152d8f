import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, before, describe, test, type TestContext } from "node:test";
import { storeEvents } from "../../src/core/event-channels.ts";
import type { StoreEvent } from "../../src/core/events.ts";
import { redisStore } from "../../src/stores/redis.ts";
import type { SigningKeyRecord, Store } from "../../src/stores/store.ts";
import { noRedis, RedisServer, waitUntil } from "../support/redis-servers.ts";
import { keyRecord } from "./key-record.ts";

const signing = async (store: Store) =>
  (await store.keys.list()).findLast((one) => one.activatedAt !== null && one.retiredAt === null)?.kid;
const kids = async (store: Store) => (await store.keys.list()).map(({ kid }) => kid);

void describe("changes of signing keys that Redis has lost", { skip: noRedis }, () => {
  let server: RedisServer;
  before(async () => (server = await RedisServer.start()));
  after(async () => await server.stop());

  async function open(t: TestContext, prefix: string): Promise<Store> {
    const store = await redisStore({ url: server.url, prefix, commandTimeoutMs: 2000 });
    t.after(async () => await store.close());
    return store;
  }

  /** The reply is a bulk string of RESP: its length, then its text. */
  const read = async (prefix: string, field: string) =>
    (await server.cli("HGET", `${prefix}{store}`, field))?.split("\r\n")[1] ?? "";

  /** Runs changes, and puts the keys before them back, as a failover does that loses them. */
  async function lose(prefix: string, changes: () => Promise<unknown>): Promise<void> {
    const fields = ["keys", "keys:removed", "keys:change"];
    const values = await Promise.all(fields.map(async (field) => [field, await read(prefix, field)]));
    await changes();
    await server.cli("HSET", `${prefix}{store}`, ...values.flat());
  }

  /** Loses a revocation, cuts the connections, and returns the message about what was applied again. */
  async function interrupt(t: TestContext, prefix: string, store: Store): Promise<string> {
    const events: StoreEvent[] = [];
    const collect = (event: unknown) => void events.push(event as StoreEvent);
    storeEvents.subscribe(collect);
    t.after(() => storeEvents.unsubscribe(collect));
    const until = Date.now() + 3_600_000;
    await store.revocations.append({ kind: "token", id: "t1", issuer: "https://id.example.com", until });
    await server.cli("ZREMRANGEBYSCORE", `${prefix}{store}:in-force`, "-inf", "(inf");
    await server.cli("CLIENT", "KILL", "TYPE", "normal");
    const told = () => events.find(({ event }) => event === "writes_restored");
    await waitUntil(async () => told() !== undefined, "the event");
    return told()?.message ?? "";
  }

  void test("fault 64: a failover that lost two rotations does not lose the key that signs", async (t) => {
    const prefix = `${randomBytes(6).toString("hex")}:`;
    const store = await open(t, prefix);
    await store.keys.initialise([keyRecord("k1", 1), keyRecord("k2")]);
    let rotated: readonly SigningKeyRecord[] = [];
    await lose(prefix, async () => {
      await store.keys.rotate("k1", keyRecord("k3"));
      await store.keys.rotate("k2", keyRecord("k4"));
      rotated = await store.keys.list();
    });
    assert.deepEqual(await kids(store), ["k1", "k2"]);
    assert.match(await interrupt(t, prefix, store), /revocations: 1, changes of signing keys: 1$/);
    assert.deepEqual(await store.keys.list(), rotated);
  });

  void test("fault 64: a failover that lost the removal of a compromised key does not bring it back", async (t) => {
    const prefix = `${randomBytes(6).toString("hex")}:`;
    const store = await open(t, prefix);
    await store.keys.initialise([keyRecord("k1", 1), keyRecord("k2")]);
    await lose(prefix, async () => {
      await store.keys.rotate("k1", keyRecord("k3"));
      await store.keys.remove("k1");
    });
    await interrupt(t, prefix, store);
    assert.deepEqual(await kids(store), ["k2", "k3"]);
  });

  void test("fault 64: a later change by another process stays when a process looks for lost changes", async (t) => {
    const prefix = `${randomBytes(6).toString("hex")}:`;
    const [first, second] = [await open(t, prefix), await open(t, prefix)];
    await first.keys.initialise([keyRecord("k1", 1), keyRecord("k2")]);
    await first.keys.rotate("k1", keyRecord("k3"));
    await second.keys.remove("k1");
    assert.match(await interrupt(t, prefix, first), /applied again: revocations: 1$/);
    assert.deepEqual(await kids(first), ["k2", "k3"]);
  });

  void test("fault 64: a rotation after the failover stays in place of the lost one", async (t) => {
    const prefix = `${randomBytes(6).toString("hex")}:`;
    const [first, second] = [await open(t, prefix), await open(t, prefix)];
    await first.keys.initialise([keyRecord("k1", 1), keyRecord("k2")]);
    await lose(prefix, async () => await first.keys.rotate("k1", keyRecord("k3")));
    // The clocks of two servers may be equal, and the number of a change is at least the time.
    const lost = await first.now();
    await waitUntil(async () => (await first.now()) > lost, "a later time of the server");
    await second.keys.rotate("k1", keyRecord("k4"));
    await interrupt(t, prefix, first);
    assert.deepEqual(await kids(first), ["k1", "k2", "k4"]);
  });

  void test("fault 64: a lost removal is applied again after another process has removed another key", async (t) => {
    const prefix = `${randomBytes(6).toString("hex")}:`;
    const [first, second] = [await open(t, prefix), await open(t, prefix)];
    await first.keys.initialise([keyRecord("k0", 1), keyRecord("k1")]);
    await first.keys.rotate("k0", keyRecord("k2"));
    await lose(prefix, async () => {
      await first.keys.rotate("k1", keyRecord("k3"));
      await first.keys.remove("k1");
    });
    await second.keys.remove("k0");
    assert.match(await interrupt(t, prefix, first), /changes of signing keys: 1$/);
    assert.deepEqual(await kids(second), ["k2", "k3"]);
    assert.equal(await signing(second), "k2");
  });

  void test("fault 64: a primary whose clock is behind keeps the newer change of keys", async (t) => {
    const prefix = `${randomBytes(6).toString("hex")}:`;
    const [first, second] = [await open(t, prefix), await open(t, prefix)];
    await first.keys.initialise([keyRecord("k1", 1), keyRecord("k2")]);
    await lose(prefix, async () => {
      await server.cli("HSET", `${prefix}{store}`, "keys:change", String(Date.now() + 3_600_000));
      await first.keys.rotate("k1", keyRecord("k3"));
    });
    await second.keys.rotate("k1", keyRecord("k4"));
    await second.keys.rotate("k2", keyRecord("k5"));
    const acknowledged = await second.keys.list();
    assert.match(await interrupt(t, prefix, first), /applied again: revocations: 1$/);
    assert.deepEqual(await second.keys.list(), acknowledged);
  });

  void test("fault 64: a lost sealing of a key under a new secret is applied again, and a later one stays", async (t) => {
    const prefix = `${randomBytes(6).toString("hex")}:`;
    const [first, second] = [await open(t, prefix), await open(t, prefix)];
    await first.keys.initialise([keyRecord("k1", 1), keyRecord("k2")]);
    await lose(prefix, async () => {
      await first.keys.reseal("k1", "sealed k1", "sealed k1 again");
      await first.keys.reseal("k2", "sealed k2", "sealed k2 again");
    });
    await second.keys.reseal("k2", "sealed k2", "sealed k2 later");
    await second.keys.reseal("k2", "sealed k2 later", "sealed k2 last");
    await interrupt(t, prefix, first);
    const sealed = (await first.keys.list()).map((one) => one.sealed);
    assert.deepEqual(sealed, ["sealed k1 again", "sealed k2 last"]);
  });
});
