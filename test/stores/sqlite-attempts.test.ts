import assert from "node:assert/strict";
import { test } from "node:test";
import { createAttemptPart } from "../../src/stores/sqlite/attempts.ts";
import { SqliteConnection } from "../../src/stores/sqlite/connection.ts";
import { FakeClock } from "../../src/testing/fake-clock.ts";

const WINDOW_MS = 60_000;

function openMemory(clock: FakeClock): SqliteConnection {
  return new SqliteConnection({
    file: ":memory:",
    description: "memory",
    clock,
    random: () => 0,
    lockTimeoutMs: 0,
    awaitBatch: async () => await Promise.resolve(),
  });
}

test("law 6: a flood of keys keeps a bounded number of counts, and the ones that began first go", async () => {
  const clock = new FakeClock();
  const db = openMemory(clock);
  const { store } = createAttemptPart(db, 100);
  const rows = db.prepare("SELECT count(*) AS rows FROM attempts");
  for (let batch = 0; batch < 20; batch++) {
    await store.add(
      Array.from({ length: 50 }, (_, i) => ({ key: `${batch} ${i}`, count: 1, windowMs: WINDOW_MS })),
    );
    assert.ok(Number(rows.get()?.["rows"]) <= 100);
  }
  const totals = await store.add([
    { key: "0 0", count: 0, windowMs: WINDOW_MS },
    { key: "19 49", count: 0, windowMs: WINDOW_MS },
  ]);
  assert.deepEqual(
    totals.map(({ count }) => count),
    [0, 1],
  );
  await db.close();
});

test("pruning erases every count that has ended, in commands of bounded length", async () => {
  const clock = new FakeClock();
  const db = openMemory(clock);
  const { store, prune } = createAttemptPart(db);
  const add = async (from: number, count: number) =>
    await store.add(
      Array.from({ length: count }, (_, i) => ({ key: `${from + i}`, count: 1, windowMs: WINDOW_MS })),
    );
  await add(0, 2500);
  await clock.advance(WINDOW_MS - 1);
  await add(2500, 7);
  await clock.advance(1);
  await prune();
  assert.equal(db.prepare("SELECT count(*) AS rows FROM attempts").get()?.["rows"], 7);
  await db.close();
});

test("a count from before the clock was set back begins anew", async () => {
  const clock = new FakeClock();
  const db = openMemory(clock);
  const { store } = createAttemptPart(db);
  await store.add([{ key: "key", count: 5, windowMs: 10 * WINDOW_MS }]);
  assert.deepEqual(await store.add([{ key: "key", count: 1, windowMs: WINDOW_MS }]), [
    { count: 1, endsInMs: WINDOW_MS },
  ]);
  await db.close();
});
