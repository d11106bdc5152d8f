import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { TtlCache } from "../../src/resilience/ttl-cache.ts";
import { FakeClock } from "../../src/testing/index.ts";

test("an entry ends as soon as one of the two clocks reaches its end", async () => {
  const clock = new FakeClock();
  const cache = new TtlCache<number>({ maxBytes: 100, clock });
  const keep = () => cache.set("a", 1, { ttlMs: 1_000, bytes: 1 });
  keep();
  await clock.advance(999);
  assert.equal(cache.get("a"), 1);
  await clock.advance(1);
  assert.equal(cache.get("a"), undefined);
  keep();
  clock.suspend(1_000);
  assert.equal(cache.get("a"), undefined);
  keep();
  clock.setWall(clock.now() - 60_000);
  await clock.advance(1_000);
  assert.equal(cache.get("a"), undefined);
  assert.equal(cache.stats().size, 0);
});

test("law 6: the cache never holds more bytes than its limit, and counts them correctly after any operations", () => {
  const key = fc.constantFrom("a", "b", "c", "d", "e", "f");
  const action = fc.oneof(
    fc.record({ do: fc.constant("set"), key, bytes: fc.nat(120) }),
    fc.record({ do: fc.constantFrom("get", "delete"), key, bytes: fc.constant(0) }),
  );
  fc.assert(
    fc.property(fc.array(action, { maxLength: 200 }), (actions) => {
      const cache = new TtlCache<number>({ maxBytes: 100, clock: new FakeClock() });
      const sizes = new Map<string, number>();
      for (const { do: what, key: name, bytes } of actions) {
        if (what === "set") {
          cache.set(name, bytes, { ttlMs: 1_000, bytes });
          sizes.set(name, Math.max(1, bytes));
        } else if (what === "delete") cache.delete(name);
        const got = what === "get" ? cache.get(name) : undefined;
        assert.ok(got === undefined || Math.max(1, got) === sizes.get(name));
        assert.ok(cache.stats().bytes <= 100);
      }
      let held = 0;
      for (const [name, bytes] of sizes) if (cache.get(name) !== undefined) held += bytes;
      assert.equal(cache.stats().bytes, held);
    }),
  );
});

test("law 6: entries in use stay while entries that are used once are evicted", () => {
  const cache = new TtlCache<number>({ maxBytes: 100, clock: new FakeClock() });
  const keep = (name: string) => cache.set(name, 1, { ttlMs: 1_000, bytes: 10 });
  const hot = ["a", "b", "c", "d", "e"];
  for (const name of hot) keep(name);
  for (let i = 0; i < 10_000; i++) {
    for (const name of hot) assert.equal(cache.get(name), 1, `${name} is gone after ${i}`);
    keep(`once-${i}`);
  }
});

test("law 6: an eviction spares a bounded number of used entries, so that a write to a large cache stays short", () => {
  const cache = new TtlCache<number>({ maxBytes: 5_000, clock: new FakeClock() });
  const keep = (name: string) => cache.set(name, 1, { ttlMs: 1_000, bytes: 1 });
  for (let i = 0; i < 5_000; i++) keep(`${i}`);
  for (let i = 0; i < 5_000; i++) cache.get(`${i}`);
  keep("new");
  // The first 1,000 entries were used and are spared. The next one goes, although it was used, too.
  assert.equal(cache.stats().evictions, 1);
  assert.deepEqual([cache.get("999"), cache.get("1000"), cache.get("new")], [1, undefined, 1]);
});

test("an entry that is written again keeps its place and its bytes count once", () => {
  const cache = new TtlCache<number>({ maxBytes: 100, clock: new FakeClock() });
  for (let i = 0; i < 1_000; i++) cache.set("a", i, { ttlMs: 1_000, bytes: 60 });
  assert.equal(cache.get("a"), 999);
  const { size, bytes, evictions } = cache.stats();
  assert.deepEqual({ size, bytes, evictions }, { size: 1, bytes: 60, evictions: 0 });
  cache.set("a", 1, { ttlMs: 1_000, bytes: 100 });
  cache.set("b", 2, { ttlMs: 1_000, bytes: 1 });
  assert.deepEqual([cache.get("a"), cache.get("b"), cache.stats().evictions], [undefined, 2, 1]);
});

test("a cleared cache is empty, and holds new entries", () => {
  const cache = new TtlCache<number>({ maxBytes: 3, clock: new FakeClock() });
  const keep = (name: string) => cache.set(name, 1, { ttlMs: 1_000, bytes: 1 });
  for (const name of ["a", "b", "c", "d", "e"]) keep(name);
  cache.clear();
  assert.deepEqual([cache.stats().size, cache.stats().bytes, cache.get("e")], [0, 0, undefined]);
  for (const name of ["a", "b", "c", "d"]) keep(name);
  assert.equal(cache.stats().size, 3);
  assert.equal(cache.get("d"), 1);
});

test("an entry that is too large or has no time to live is not kept, and removes the earlier entry of its key", () => {
  const cache = new TtlCache<number>({ maxBytes: 100, clock: new FakeClock() });
  for (const options of [
    { ttlMs: 1_000, bytes: 101 },
    { ttlMs: 0, bytes: 1 },
    { ttlMs: Number.NaN, bytes: 1 },
  ]) {
    cache.set("a", 1, { ttlMs: 1_000, bytes: 1 });
    cache.set("a", 2, options);
    assert.equal(cache.get("a"), undefined);
    assert.equal(cache.stats().bytes, 0);
  }
});

test("the statistics count hits, misses and evictions, and not the reads of stale entries", async () => {
  const clock = new FakeClock();
  const cache = new TtlCache<number>({ maxBytes: 100, clock });
  cache.set("a", 1, { ttlMs: 1_000, staleMs: 1_000, bytes: 40 });
  cache.get("a");
  cache.get("a");
  cache.get("b");
  await clock.advance(1_000);
  assert.deepEqual([cache.get("a"), cache.getStale("a"), cache.getStale("b")], [undefined, 1, undefined]);
  const counts = { hits: 2, misses: 2, size: 1, bytes: 40, maxBytes: 100, evictions: 0 };
  assert.deepEqual(cache.stats(), counts);
  await clock.advance(1_000);
  assert.equal(cache.getStale("a"), undefined);
  assert.deepEqual(cache.stats(), { ...counts, size: 0, bytes: 0 });
  for (const key of ["c", "d", "e"]) cache.set(key, 1, { ttlMs: 1_000, bytes: 40 });
  cache.delete("d");
  assert.deepEqual(cache.stats(), { ...counts, size: 1, bytes: 40, evictions: 1 });
});
