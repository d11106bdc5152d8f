import assert from "node:assert/strict";
import { after, before, beforeEach, describe, test, type TestContext } from "node:test";
import { isDeepStrictEqual } from "node:util";
import { isHoldfastError } from "../../src/core/errors.ts";
import type { AuditEvent } from "../../src/core/events.ts";
import { ISSUER } from "../../src/stores/conformance/constants.ts";
import { makeRevocation } from "../../src/stores/conformance/fixtures.ts";
import { redisStore, type RedisStoreOptions } from "../../src/stores/redis.ts";
import { EXPIRED_RETENTION_MS } from "../../src/stores/retention.ts";
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

  test("fault 9: a reader that is more than 10,000 entries behind takes a snapshot, and one that is not reads the tail", async (t) => {
    const store = await open(t, { commandTimeoutMs: 5_000 });
    const start = await store.revocations.snapshot();
    const until = Date.now() + 3_600_000;
    const revocation = { kind: "token", issuer: ISSUER, until } as const;
    const appending = Array.from({ length: 10_001 }, async (_, i) => {
      return await store.revocations.append({ ...revocation, id: `t${i}` });
    });
    const entries = await Promise.all(appending);
    // A comparison of so many entries would take minutes to describe.
    assert.equal((await store.revocations.after(start.position)).status, "gap");
    const [first] = entries;
    const position = { ...start.position, seq: 1, chain: first?.chain ?? "" };
    const tail = await store.revocations.after(position);
    assert.ok(tail.status === "ok");
    assert.ok(isDeepStrictEqual(tail.entries, entries.slice(1)), `${tail.entries.length} entries`);
  });

  test("law 3, fault 34: an entry that has expired survives pruning for a day, because the clock may be set back", async (t) => {
    const clock = new FakeClock();
    const store = await open(t, { clock });
    const entry = await append(store, "t1");
    await clock.advance(EXPIRED_RETENTION_MS);
    await store.prune();
    assert.deepEqual((await store.revocations.snapshot()).entries, []);
    clock.setWall(clock.now() - EXPIRED_RETENTION_MS);
    assert.deepEqual((await store.revocations.snapshot()).entries, [entry]);
    await append(store, "t2");
    await clock.advance(EXPIRED_RETENTION_MS + 2 * 3_600_000);
    await store.prune();
    assert.equal(
      await server.cli("XLEN", "holdfast:{store}:log"),
      ":1\r\n",
      "the newest entry shows the end",
    );
    clock.setWall(clock.now() - EXPIRED_RETENTION_MS - 2 * 3_600_000);
    assert.deepEqual((await store.revocations.snapshot()).entries, []);
  });

  test("law 3: a log that lacks its newest entry is a gap, and never the whole tail", async (t) => {
    const store = await open(t);
    await append(store, "t1");
    const { position } = await store.revocations.snapshot();
    for (const id of ["t2", "t3"]) await append(store, id);
    await server.cli("XDEL", "holdfast:{store}:log", "3-0");
    assert.deepEqual(await store.revocations.after(position), { status: "gap" });
  });

  test("law 6: the audit trail keeps the newest million events", async (t) => {
    const store = await open(t, { commandTimeoutMs: 5_000 });
    const fill = "for i = 1, 1000000 do redis.call('LPUSH', KEYS[1], '{}') end";
    assert.notEqual(await server.cli("EVAL", fill, "1", "holdfast:{audit}"), null);
    const at = Date.now();
    const event = {
      kind: "login",
      at,
      subject: null,
      session: null,
      actor: null,
      source: null,
      detail: "new",
    };
    await store.audit.append(event as AuditEvent);
    assert.equal(await server.cli("LLEN", "holdfast:{audit}"), ":1000000\r\n");
    assert.deepEqual(await store.audit.recent(1), [event]);
  });
});
