import assert from "node:assert/strict";
import { test } from "node:test";
import { redisStore } from "../../src/stores/redis.ts";
import { noRedis, RedisServer, waitUntil } from "../support/redis-servers.ts";

test("a store reads the log for others only while somebody listens", { skip: noRedis }, async (t) => {
  const server = await RedisServer.start();
  t.after(async () => await server.stop());
  const store = await redisStore({ url: server.url });
  t.after(async () => await store.close());
  const clients = async () => ((await server.cli("CLIENT", "LIST")) ?? assert.fail("no answer")).split("\n");
  const idOf = (line: string) => /\bid=(\d+)/.exec(line)?.[1];
  for (let round = 0; round < 2; round++) {
    const unsubscribe = store.revocations.subscribe(() => {});
    let reader: string | undefined;
    await waitUntil(async () => {
      reader = (await clients()).filter((line) => line.includes("cmd=xread")).map(idOf)[0];
      return reader !== undefined;
    }, "a connection that reads the log");
    unsubscribe();
    const isClosed = async () => !(await clients()).some((line) => idOf(line) === reader);
    await waitUntil(isClosed, "the end of the connection");
  }
});
