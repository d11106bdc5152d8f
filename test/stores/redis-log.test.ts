import assert from "node:assert/strict";
import { after, before, beforeEach, describe, test, type TestContext } from "node:test";
import { isHoldfastError } from "../../src/core/errors.ts";
import { makeRevocation } from "../../src/stores/conformance/fixtures.ts";
import { redisStore, type RedisStoreOptions } from "../../src/stores/redis.ts";
import type { Store } from "../../src/stores/store.ts";
import { FakeClock } from "../../src/testing/fake-clock.ts";
import { noRedis, RedisServer, waitUntil } from "../support/redis-servers.ts";

void describe("the revocation log in Redis", { skip: noRedis }, () => {
  let server: RedisServer;
  before(async () => (server = await RedisServer.start(["appendfsync no"])));
  after(async () => await server.stop());
  beforeEach(async () => void (await server.cli("FLUSHALL")));

  const open = async (t: TestContext, options: RedisStoreOptions = {}): Promise<Store> => {
    const store = await redisStore({ url: server.url, durability: "unchecked", ...options });
    t.after(async () => await store.close());
    return store;
  };
  const append = async (store: Store, id: string) =>
    await store.revocations.append(await makeRevocation(store, "token", id));

  for (const [what, ms] of [
    ["a second after the last one", 1_000],
    ["whose clock was set back", -3_600_000],
  ] as const) {
    test(`fault 4, fault 34: a read ${what} shows a primary without its replicas`, async (t) => {
      const clock = new FakeClock();
      const store = await open(t, { clock });
      const { position } = await store.revocations.snapshot();
      await store.revocations.after(position);
      await server.cli("CONFIG", "SET", "min-replicas-to-write", "1");
      t.after(async () => await server.cli("CONFIG", "SET", "min-replicas-to-write", "0"));
      await clock.advance(Math.max(0, ms));
      clock.setWall(clock.now() + Math.min(0, ms));
      await assert.rejects(store.revocations.after(position), (error) =>
        isHoldfastError(error, "store_unavailable"),
      );
    });
  }

  test("fault 4: a store delivers entries that a new primary has under numbers of lost ones", async (t) => {
    const writer = await open(t);
    const lost = await open(t);
    await append(writer, "kept");
    const { position } = await writer.revocations.snapshot();
    const reader = await open(t);
    const received: string[] = [];
    t.after(reader.revocations.subscribe((entries) => received.push(...entries.map((e) => e.revocation.id))));
    for (const id of ["lost 1", "lost 2"]) await append(lost, id);
    await waitUntil(async () => received.length === 2, "the entries that get lost");

    // The server takes the place of a primary whose last two entries did not reach it.
    const stream = "holdfast:{store}:log";
    await server.cli("XDEL", stream, "2-0", "3-0");
    await server.cli("XSETID", stream, "1-0");
    await server.cli("HSET", "holdfast:{store}", "seq", String(position.seq), "chain", position.chain);
    const looks = async () => {
      const stats = (await server.cli("INFO", "commandstats")) ?? "";
      return Number(/cmdstat_xrevrange:calls=(\d+)/.exec(stats)?.[1] ?? 0);
    };
    const looked = await looks();
    await waitUntil(async () => (await looks()) >= looked + 2, "a look at the end of the log");
    await append(writer, "new");
    await waitUntil(async () => received.includes("new"), "the entry of the new primary", 3_000);
    assert.deepEqual(received, ["lost 1", "lost 2", "new"]);
  });
});
