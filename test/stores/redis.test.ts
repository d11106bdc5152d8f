import { randomBytes } from "node:crypto";
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { Store } from "../../src/stores/store.ts";
import { makeRevocation } from "../../src/stores/conformance/fixtures.ts";
import { testDurableStore, testStore } from "../../src/stores/conformance/index.ts";
import { redisStore, type RedisStoreOptions } from "../../src/stores/redis.ts";
import { FakeClock } from "../../src/testing/fake-clock.ts";
import { noRedis, RedisServer, startCluster, startSentinels, waitUntil } from "../support/redis-servers.ts";

/** Runs the conformance suites against `target`. Each test has its own prefix, and so its own store. */
function runConformance(name: string, target: () => RedisStoreOptions, restart: () => Promise<void>): void {
  const open = async () => {
    const clock = new FakeClock();
    const options = { ...target(), clock, prefix: `${randomBytes(6).toString("hex")}:` };
    const first = await redisStore(options);
    const opened: Store[] = [first];
    return {
      store: first,
      clock,
      async reopen() {
        await first.close();
        await restart();
        const again = await redisStore(options);
        opened.push(again);
        return again;
      },
      async close() {
        for (const store of opened) await store.close();
      },
    };
  };
  testStore(name, open);
  void test(`${name} publishes entries of another process to its listeners`, async () => {
    const options = { ...target(), prefix: `${randomBytes(6).toString("hex")}:` };
    const [one, other] = [await redisStore(options), await redisStore(options)];
    const received: number[] = [];
    const unsubscribe = one.revocations.subscribe((entries) =>
      received.push(...entries.map(({ seq }) => seq)),
    );
    for (const id of ["a", "b", "c"]) {
      await other.revocations.append(await makeRevocation(other, "token", id));
    }
    await waitUntil(async () => received.length === 3, "the stream");
    assert.deepEqual(received, [1, 2, 3]);
    unsubscribe();
    for (const store of [one, other]) await store.close();
  });
  testDurableStore(name, open);
}

const noRestart = async () => {};

void describe("Redis, one server", { skip: noRedis }, () => {
  let server: RedisServer;
  before(async () => (server = await RedisServer.start()));
  after(async () => await server.stop());
  runConformance(
    "redisStore on one server",
    () => ({ url: server.url, durability: "always" }),
    async () => {
      await server.kill();
      await server.up();
    },
  );
});

void describe("Redis, a cluster", { skip: noRedis }, () => {
  let cluster: Awaited<ReturnType<typeof startCluster>>;
  before(async () => (cluster = await startCluster(["min-replicas-to-write 1"])));
  after(async () => await cluster.stop());
  runConformance("redisStore on a cluster", () => ({ cluster: cluster.urls }), noRestart);
});

void describe("Redis, Sentinel", { skip: noRedis }, () => {
  let sentinels: Awaited<ReturnType<typeof startSentinels>>;
  before(async () => (sentinels = await startSentinels(["min-replicas-to-write 1"])));
  after(async () => await sentinels.stop());
  runConformance("redisStore behind Sentinels", () => ({ sentinel: sentinels.options }), noRestart);
});
