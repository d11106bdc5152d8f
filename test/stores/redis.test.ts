import { randomBytes } from "node:crypto";
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { Store } from "../../src/stores/contracts.ts";
import { revocationOf } from "../../src/stores/contract/fixtures.ts";
import { durableStoreContract, storeContract } from "../../src/stores/contract-suite.ts";
import { redisStore, type RedisStoreOptions } from "../../src/stores/redis.ts";
import { FakeClock } from "../../src/testing/fake-clock.ts";
import { noRedis, RedisServer, startCluster, startSentinels, until } from "../support/redis-servers.ts";

/** Runs the suites against `target`; each test has a prefix, hence a store, of its own. */
function contracts(name: string, target: () => RedisStoreOptions, restart: () => Promise<void>): void {
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
  storeContract(name, open);
  void test(`${name} tells its listeners what another process made durable`, async () => {
    const options = { ...target(), prefix: `${randomBytes(6).toString("hex")}:` };
    const [one, other] = [await redisStore(options), await redisStore(options)];
    const heard: number[] = [];
    const leave = one.revocations.subscribe((entries) => heard.push(...entries.map(({ seq }) => seq)));
    for (const id of ["a", "b", "c"]) {
      await other.revocations.append(await revocationOf(other, "token", id));
    }
    await until(async () => heard.length === 3, "the stream");
    assert.deepEqual(heard, [1, 2, 3]);
    leave();
    for (const store of [one, other]) await store.close();
  });
  durableStoreContract(name, open);
}

const nothing = async () => {};

void describe("redis, one server", { skip: noRedis }, () => {
  let server: RedisServer;
  before(async () => (server = await RedisServer.start()));
  after(async () => await server.stop());
  contracts(
    "redisStore on one server",
    () => ({ url: server.url, durability: "always" }),
    async () => {
      await server.kill();
      await server.up();
    },
  );
});

void describe("redis, a cluster", { skip: noRedis }, () => {
  let cluster: Awaited<ReturnType<typeof startCluster>>;
  before(async () => (cluster = await startCluster()));
  after(async () => await cluster.stop());
  contracts("redisStore on a cluster", () => ({ cluster: cluster.urls, replicas: 1 }), nothing);
});

void describe("redis, Sentinel", { skip: noRedis }, () => {
  let sentinels: Awaited<ReturnType<typeof startSentinels>>;
  before(async () => (sentinels = await startSentinels()));
  after(async () => await sentinels.stop());
  contracts("redisStore behind Sentinels", () => ({ sentinel: sentinels.options, replicas: 1 }), nothing);
});
