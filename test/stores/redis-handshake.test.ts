import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, before, describe, test, type TestContext } from "node:test";
import { isHoldfastError } from "../../src/core/errors.ts";
import type { Store } from "../../src/stores/store.ts";
import { redisStore, type RedisStoreOptions } from "../../src/stores/redis.ts";
import { noRedis, RedisServer, startCluster, startSentinels, waitUntil } from "../support/redis-servers.ts";
import { startTlsRedis } from "../support/redis-tls.ts";
import { UnresponsiveProxy } from "../support/unresponsive-proxy.ts";

async function open(t: TestContext, options: RedisStoreOptions): Promise<Store> {
  const prefix = `${randomBytes(6).toString("hex")}:`;
  const store = await redisStore({ prefix, ...options });
  t.after(async () => await store.close());
  return store;
}

async function startProxy(t: TestContext, port: number): Promise<UnresponsiveProxy> {
  const proxy = await UnresponsiveProxy.start(port);
  t.after(async () => proxy.close());
  return proxy;
}

async function answers(store: Store): Promise<boolean> {
  return await store.users.get("alice").then(
    () => true,
    (error: unknown) => {
      assert.ok(isHoldfastError(error, "store_unavailable"), String(error));
      return false;
    },
  );
}

/** Loses the answers to handshakes for a while. Then asserts that the store recovers by itself. */
async function loseHandshakes(
  store: Store,
  { proxies, stage }: { proxies: readonly UnresponsiveProxy[]; stage: string },
): Promise<void> {
  for (const proxy of proxies) proxy.mute(stage);
  const hangs = async () => proxies.every(({ mutedCount }) => mutedCount > 0);
  await waitUntil(hangs, `a handshake without an answer at "${stage}"`);
  for (const proxy of proxies) proxy.unmute();
  await waitUntil(async () => await answers(store), `an answer after the fault at "${stage}"`, 15_000);
}

void describe("Redis and handshakes without an answer", { skip: noRedis, concurrency: true }, () => {
  let server: RedisServer;
  before(async () => (server = await RedisServer.start(["requirepass secret"])));
  after(async () => await server.stop());

  for (const stage of ["", "AUTH", "SELECT", "SETINFO"]) {
    test(`fault 67: the store is back after a handshake that got no answer at "${stage}"`, async (t) => {
      const proxy = await startProxy(t, server.port);
      const url = `redis://:secret@127.0.0.1:${proxy.port}/3`;
      await loseHandshakes(await open(t, { url }), { proxies: [proxy], stage });
    });
  }

  test("fault 67: the store is back after a TLS handshake that got no answer", async (t) => {
    const tls = await startTlsRedis(t);
    const proxy = await startProxy(t, tls.port);
    const url = `rediss://:secret@127.0.0.1:${proxy.port}`;
    const store = await open(t, { url, tls: { ca: tls.cert } });
    await loseHandshakes(store, { proxies: [proxy], stage: "" });
  });

  test("fault 67: opening a store rejects at its deadline when the handshake gets no answer", async (t) => {
    const proxy = await startProxy(t, server.port);
    proxy.mute("");
    const url = `redis://:secret@127.0.0.1:${proxy.port}`;
    await assert.rejects(redisStore({ url, openTimeoutMs: 300 }), (error) => {
      assert.ok(isHoldfastError(error, "store_unavailable"));
      assert.match(error.message, /no connection within 300 ms/);
      return true;
    });
  });
});

void describe("Redis as a cluster, and handshakes without an answer", { skip: noRedis }, () => {
  let cluster: Awaited<ReturnType<typeof startCluster>>;
  before(async () => (cluster = await startCluster(["min-replicas-to-write 1"])));
  after(async () => await cluster.stop());

  async function openThroughProxies(t: TestContext): Promise<{ store: Store; proxies: UnresponsiveProxy[] }> {
    const ports = cluster.servers.map(({ port }) => port);
    const proxies = await Promise.all(ports.map(async (port) => await startProxy(t, port)));
    const nodeAddressMap = Object.fromEntries(
      ports.map((port, i) => [`127.0.0.1:${port}`, { host: "127.0.0.1", port: proxies[i]?.port ?? 0 }]),
    );
    const store = await open(t, { cluster: proxies.map(({ url }) => url), nodeAddressMap });
    return { store, proxies };
  }

  test("fault 67: the store is back after one node of the cluster left a handshake without an answer", async (t) => {
    for (const stage of ["", "SETINFO"]) {
      const { store, proxies } = await openThroughProxies(t);
      // The users are in slot 9943, on the second primary.
      await loseHandshakes(store, { proxies: proxies.slice(1, 2), stage });
    }
  });

  test("fault 67: the store is back after every node of the cluster left a handshake without an answer", async (t) => {
    const { store, proxies } = await openThroughProxies(t);
    await loseHandshakes(store, { proxies: proxies.slice(0, 3), stage: "" });
  });
});

void describe("Redis behind Sentinels, and handshakes without an answer", { skip: noRedis }, () => {
  let sentinels: Awaited<ReturnType<typeof startSentinels>>;
  before(async () => (sentinels = await startSentinels(["min-replicas-to-write 1"])));
  after(async () => await sentinels.stop());

  test("fault 67: the store is back after the primary and a Sentinel left handshakes without an answer", async (t) => {
    const [first = ""] = sentinels.options.nodes;
    const port = Number(new URL(first).port);
    const [primary, sentinel] = [await startProxy(t, sentinels.primary.port), await startProxy(t, port)];
    const to = (proxy: UnresponsiveProxy) => ({ host: "127.0.0.1", port: proxy.port });
    const store = await open(t, {
      sentinel: { url: "redis://main", nodes: [sentinel.url, ...sentinels.options.nodes] },
      nodeAddressMap: {
        [`127.0.0.1:${sentinels.primary.port}`]: to(primary),
        [`127.0.0.1:${port}`]: to(sentinel),
      },
    });
    await loseHandshakes(store, { proxies: [primary], stage: "" });
    await loseHandshakes(store, { proxies: [primary, sentinel], stage: "" });
  });

  test("fault 67: a silent Sentinel does not keep a store from opening", async (t) => {
    const port = Number(new URL(sentinels.options.nodes[0] ?? "").port);
    const silent = await startProxy(t, port);
    silent.mute("");
    const nodes = [silent.url, ...sentinels.options.nodes.slice(1)];
    const store = await open(t, { sentinel: { url: "redis://main", nodes } });
    assert.ok(await answers(store));
  });
});
