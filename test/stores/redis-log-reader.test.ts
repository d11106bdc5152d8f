import assert from "node:assert/strict";
import { test } from "node:test";
import { redisStore } from "../../src/stores/redis.ts";
import { noRedis, RedisServer, waitUntil } from "../support/redis-servers.ts";

test("a store reads the log for others only while somebody listens", { skip: noRedis }, async (t) => {
  const server = await RedisServer.start();
  t.after(async () => await server.stop());
  const store = await redisStore({ url: server.url });
  t.after(async () => await store.close());
  const isReading = async () => ((await server.cli("CLIENT", "LIST")) ?? "").includes("cmd=xread");
  assert.equal(await isReading(), false);
  for (let round = 0; round < 2; round++) {
    const unsubscribe = store.revocations.subscribe(() => {});
    await waitUntil(isReading, "a connection that reads the log");
    unsubscribe();
    await waitUntil(async () => !(await isReading()), "the end of the connection");
  }
});
