import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { readAddress, type RedisAddressOptions } from "../../src/stores/redis/address.ts";
import type { RedisClient } from "../../src/stores/redis/client.ts";
import { connectClient, importRedis } from "../../src/stores/redis/connect-client.ts";
import { noRedis, RedisServer, waitUntil } from "../support/redis-servers.ts";

/*
 * A write is acknowledged after WAIT on the same connection. The store notices another connection only by what the package
 * redis says about its connections.
 */

async function connect(t: TestContext, target: RedisAddressOptions): Promise<RedisClient> {
  const stopped = new AbortController();
  const settings = {
    tls: undefined,
    credentials: undefined,
    sentinelTls: undefined,
    sentinelCredentials: undefined,
    nodeAddressMap: undefined,
    random: Math.random,
    connectTimeoutMs: 5_000,
    silenceMs: 30_000,
    signal: stopped.signal,
    onCredentials: () => {},
    onSentinelCredentials: () => {},
    onInterruption: () => {},
  };
  const client = await connectClient(await importRedis(), readAddress(target), settings, stopped.signal);
  t.after(async () => await client.destroy());
  return client;
}

async function start(t: TestContext, settings: readonly string[] = []): Promise<RedisServer> {
  const server = await RedisServer.start(settings);
  t.after(async () => await server.stop());
  return server;
}

async function startWholeCluster(t: TestContext): Promise<RedisServer> {
  const server = await start(t, ["cluster-enabled yes"]);
  await server.cli("CLUSTER", "ADDSLOTSRANGE", "0", "16383");
  const isReady = async () => ((await server.cli("CLUSTER", "INFO")) ?? "").includes("cluster_state:ok");
  await waitUntil(isReady, "a cluster of one server");
  return server;
}

for (const kind of ["one server", "a cluster"]) {
  test(
    `law 12: on ${kind}, an answer tells when another connection has replaced its own`,
    { skip: noRedis },
    async (t) => {
      const server = kind === "a cluster" ? await startWholeCluster(t) : await RedisServer.start();
      t.after(async () => await server.stop());
      const target = kind === "a cluster" ? { cluster: [server.url] } : { url: server.url };
      const client = await connect(t, target);
      const { connection } = await client.send("k", ["SET", "k", "v"]);
      const id = await connection.send(["CLIENT", "ID"]);
      assert.ok(connection.isCurrent(), "the connection lasts");
      await server.cli("CLIENT", "KILL", "TYPE", "normal");
      await waitUntil(async () => {
        const answer = await client.send("k", ["GET", "k"]).catch(() => null);
        return answer !== null && (await answer.connection.send(["CLIENT", "ID"])) !== id;
      }, "another connection");
      assert.ok(!connection.isCurrent());
    },
  );
}
