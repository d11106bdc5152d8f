import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, before, describe, test, type TestContext } from "node:test";
import { storeEvents } from "../../src/core/event-channels.ts";
import { HoldfastError, isHoldfastError } from "../../src/core/errors.ts";
import type { StoreEvent } from "../../src/core/events.ts";
import { present, logIn } from "../../src/stores/conformance/fixtures.ts";
import { FORMAT, FORMAT_LEASE_MS } from "../../src/stores/redis/format.ts";
import { createClusterFence } from "../../src/stores/redis/format-fence.ts";
import { redisStore } from "../../src/stores/redis.ts";
import type { Store } from "../../src/stores/store.ts";
import { noRedis, RedisServer, startCluster, waitUntil } from "../support/redis-servers.ts";

const until = Date.now() + 3_600_000;
const REVOCATION = { kind: "session", id: "s1", issuer: "https://id.example.com", until } as const;
const USER = {
  username: "alice",
  subject: "a",
  passwordHash: "h",
  scopes: ["read"],
  createdAt: 1,
  mac: "m",
  loginKey: "alice",
  disabledAt: null,
};
const EVENT = {
  at: 1,
  kind: "login",
  subject: "a",
  session: "s1",
  source: null,
  actor: null,
  detail: null,
} as const;

const newer = (error: unknown): boolean => {
  assert.ok(isHoldfastError(error, "store_newer"), String(error));
  assert.match(error.message, new RegExp(`has format ${FORMAT + 1}, this version knows up to ${FORMAT}`));
  return true;
};

/** Every write of a store that has the session `s1` and the user `alice`. */
function writesOf(store: Store): (() => Promise<unknown>)[] {
  return [
    async () => await store.users.add({ ...USER, username: "bob", subject: "b", loginKey: "bob" }),
    async () => await store.users.replace({ ...USER, mac: "m2" }, "m"),
    async () => await store.users.remove("alice", "m"),
    async () => await logIn(store, "s2"),
    async () => await present(store, "s1", 1, { onReuse: REVOCATION }),
    async () => await store.sessions.acknowledge({ sessionId: "s1", generation: 1, digest: null }),
    async () => await store.sessions.end("s1", "logout", REVOCATION),
    async () => await store.sessions.endAll("alice", "logout_all", REVOCATION),
    async () => await store.revocations.append(REVOCATION),
    async () => await store.markers.claim("later", "x"),
    async () => await store.markers.replace("before", "x", "y"),
    async () => await store.keys.remove("k1"),
    async () => await store.audit.append(EVENT),
    async () => await store.prune(),
  ];
}

async function fill(store: Store): Promise<void> {
  await store.users.add(USER);
  await logIn(store, "s1");
  await store.markers.claim("before", "x");
  await store.keys.initialise([{ kid: "k1", sealed: "s", createdAt: 1 } as never]);
  await store.revocations.append(REVOCATION);
  await store.audit.append(EVENT);
}

/** All answers that a store gives without a write. */
async function read(store: Store): Promise<unknown> {
  return await Promise.all([
    store.users.get("alice"),
    store.users.get("nobody"),
    store.users.list({ limit: 10 }),
    store.sessions.get("s1"),
    store.sessions.get("s2"),
    store.markers.read("before"),
    store.markers.read("later"),
    store.keys.list(),
    store.revocations.snapshot(),
    store.audit.recent(10),
  ]);
}

function collectEvents(t: TestContext): StoreEvent[] {
  const events: StoreEvent[] = [];
  const collect = (event: unknown) => void events.push(event as StoreEvent);
  storeEvents.subscribe(collect);
  t.after(() => storeEvents.unsubscribe(collect));
  return events;
}

void describe("Redis under a newer format", { skip: noRedis }, () => {
  let server: RedisServer;
  before(async () => (server = await RedisServer.start(["enable-debug-command yes"])));
  after(async () => await server.stop());

  /** What the server has, apart from times. */
  async function digest(): Promise<string | null> {
    return await server.cli("DEBUG", "DIGEST");
  }

  void test("fault 71: a store whose format a newer process raises writes nothing more, and reads go on", async (t) => {
    const prefix = `${randomBytes(6).toString("hex")}:`;
    const store = await redisStore({ url: server.url, prefix, commandTimeoutMs: 2000 });
    t.after(async () => await store.close());
    const events = collectEvents(t);
    await fill(store);
    const { position } = await store.revocations.snapshot();
    const answers = await read(store);
    await server.cli("HSET", `${prefix}{store}`, "format", String(FORMAT + 1), "beat", "0");
    const written = server.written();
    const content = await digest();
    for (const write of writesOf(store)) await assert.rejects(write(), newer, String(write));
    await assert.rejects(store.now(), newer, "the health check names the reason");
    assert.deepEqual(await read(store), answers);
    assert.deepEqual(await store.revocations.after(position), { status: "ok", entries: [] });
    assert.deepEqual(await store.revocations.after({ ...position, seq: 0, chain: "" }), {
      status: "ok",
      entries: (await store.revocations.snapshot()).entries,
    });
    assert.equal(await digest(), content);
    assert.equal(server.written(), written, "the server has carried out no write");
    assert.deepEqual(
      events.map(({ event }) => event),
      ["store_newer"],
    );
    assert.match(events[0]?.message ?? "", /has format 2, this version knows up to 1; nothing is written/);

    await server.cli("HSET", `${prefix}{store}`, "format", String(FORMAT));
    assert.equal(await store.markers.claim("later", "x"), "x");
  });

  void test("fault 71: writes that race with a raise of the format are acknowledged only before it", async (t) => {
    const prefix = `${randomBytes(6).toString("hex")}:`;
    const store = await redisStore({ url: server.url, prefix, commandTimeoutMs: 2000 });
    t.after(async () => await store.close());
    let acknowledged = 0;
    const writing = (async () => {
      for (;;) {
        await store.audit.append(EVENT);
        acknowledged++;
      }
    })();
    const refused = assert.rejects(writing, newer);
    await waitUntil(async () => acknowledged > 20, "writes");
    const raise = `redis.call('HSET', KEYS[1], 'format', ${FORMAT + 1}) return redis.call('LLEN', KEYS[2])`;
    const count = await server.cli("EVAL", raise, "2", `${prefix}{store}`, `${prefix}{audit}`);
    await refused;
    assert.equal(count, `:${acknowledged}\r\n`);
    assert.equal(await server.cli("LLEN", `${prefix}{audit}`), count);
  });
});

void describe("Redis as a cluster under a newer format", { skip: noRedis }, () => {
  let cluster: Awaited<ReturnType<typeof startCluster>>;
  before(async () => (cluster = await startCluster()));
  after(async () => await cluster.stop());

  void test("fault 71: a process that has read the newer format writes on no server of a cluster", async (t) => {
    const store = await redisStore({ cluster: cluster.urls, replicas: 0, commandTimeoutMs: 2000 });
    t.after(async () => await store.close());
    await fill(store);
    const raise = cluster.servers.slice(0, 3).map(async (server) => {
      return await server.cli("HSET", "holdfast:{store}", "format", String(FORMAT + 1));
    });
    assert.equal((await Promise.all(raise)).filter((reply) => reply === ":0\r\n").length, 1);
    // Every command that meets the newer format ends the lease.
    await assert.rejects(store.now(), newer);
    const answers = await read(store);
    for (const write of writesOf(store)) await assert.rejects(write(), newer, String(write));
    assert.deepEqual(await read(store), answers);
  });
});

void describe("the fence of a cluster", () => {
  function createFence(check: () => Promise<void>) {
    const time = { now: 0, reads: 0 };
    const fence = createClusterFence(
      async () => {
        time.reads++;
        await check();
      },
      { monotonic: () => time.now },
    );
    return { time, fence };
  }

  void test("writes share one read of the format, and need another one a second later", async () => {
    const { time, fence } = createFence(async () => {});
    await Promise.all([fence.confirm(), fence.confirm(), fence.confirm()]);
    assert.equal(time.reads, 1);
    time.now = 999;
    await fence.confirm();
    assert.equal(time.reads, 1);
    time.now = 1000;
    await fence.confirm();
    assert.equal(time.reads, 2);
  });

  void test("fault 71: without an answer the lease ends, and a process that was frozen writes nothing before it has read the format", async () => {
    let answer: "ok" | "store_unavailable" | "store_newer" = "ok";
    const { time, fence } = createFence(async () => {
      if (answer === "store_newer") fence.expire();
      if (answer !== "ok") throw new HoldfastError(answer, "no");
    });
    await fence.confirm();
    answer = "store_unavailable";
    time.now = FORMAT_LEASE_MS - 1;
    await fence.confirm();
    time.now = FORMAT_LEASE_MS;
    await assert.rejects(fence.confirm(), (error) => isHoldfastError(error, "store_unavailable"));
    answer = "ok";
    await fence.confirm();
    answer = "store_newer";
    time.now += 1000;
    await assert.rejects(fence.confirm(), (error) => isHoldfastError(error, "store_newer"));
    answer = "store_unavailable";
    await assert.rejects(fence.confirm(), (error) => isHoldfastError(error, "store_unavailable"));
  });
});
