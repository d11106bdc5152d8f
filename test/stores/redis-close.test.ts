import assert from "node:assert/strict";
import { test } from "node:test";
import { redisStore } from "../../src/stores/redis.ts";
import { noRedis, RedisServer } from "../support/redis-servers.ts";

/** The timers that keep this process alive. */
function countTimers(): number {
  return process.getActiveResourcesInfo().filter((kind) => kind === "Timeout").length;
}

test(
  "a closed Redis store keeps no timer, so that the process of a command ends at once",
  { skip: noRedis },
  async (t) => {
    const server = await RedisServer.start();
    t.after(async () => await server.stop());
    const before = countTimers();
    const store = await redisStore({ url: server.url });
    store.revocations.subscribe(() => undefined);
    await store.users.get("alice");
    await store.close();
    assert.equal(countTimers(), before);
  },
);
