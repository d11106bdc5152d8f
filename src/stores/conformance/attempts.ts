import assert from "node:assert/strict";
import type { AttemptStore } from "../attempt-store.ts";
import type { Cases } from "./types.ts";

const WINDOW_MS = 60_000;

/** Adds to one key. Returns its total. */
async function addOne(attempts: AttemptStore, key: string, count: number): Promise<number> {
  const [total] = await attempts.add([{ key, count, windowMs: WINDOW_MS }]);
  assert.ok(total !== undefined && total.endsInMs > 0 && total.endsInMs <= WINDOW_MS);
  return total.count;
}

/** Tests of the counts of attempts. A store without this part passes them, because the part is optional. */
export const attemptCases: Cases = {
  "attempts of a batch are added to their keys, and the totals have the order of the batch": async ({
    store: { attempts },
  }) => {
    if (attempts === undefined) return;
    const keys = Array.from({ length: 40 }, (_, i) => `key-${i}_${"x".repeat(i % 20)}`);
    const deltas = keys.map((key, i) => ({ key, count: i, windowMs: WINDOW_MS }));
    const expected = keys.map((_, i) => ({ count: i, endsInMs: WINDOW_MS }));
    assert.deepEqual(await attempts.add(deltas), expected);
    const again = await attempts.add(deltas.toReversed());
    assert.deepEqual(
      again.map(({ count }) => count),
      keys.map((_, i) => 2 * i).toReversed(),
    );
    assert.deepEqual(await attempts.add([]), []);
  },

  "concurrent attempts are all counted": async ({ store: { attempts } }) => {
    if (attempts === undefined) return;
    const totals = await Promise.all(
      Array.from({ length: 50 }, async () => await addOne(attempts, "key", 1)),
    );
    assert.deepEqual(
      totals.toSorted((a, b) => a - b),
      totals.map((_, i) => i + 1),
    );
  },

  "a count of attempts ends one window after its first one, and later ones do not extend it": async ({
    store: { attempts },
    clock,
  }) => {
    if (attempts === undefined) return;
    const add = async (count: number) =>
      (await attempts.add([{ key: "key", count, windowMs: WINDOW_MS }]))[0];
    assert.deepEqual(await add(3), { count: 3, endsInMs: WINDOW_MS });
    await clock.advance(WINDOW_MS - 1);
    assert.deepEqual(await add(1), { count: 4, endsInMs: 1 });
    await clock.advance(1);
    assert.deepEqual(await add(2), { count: 2, endsInMs: WINDOW_MS });
    await clock.advance(2 * WINDOW_MS);
    assert.deepEqual(await add(0), { count: 0, endsInMs: WINDOW_MS });
  },

  "attempts can be taken back, and a count never falls below zero": async ({
    store: { attempts },
    clock,
  }) => {
    if (attempts === undefined) return;
    assert.equal(await addOne(attempts, "key", -3), 0);
    assert.equal(await addOne(attempts, "key", 5), 5);
    assert.equal(await addOne(attempts, "key", -2), 3);
    assert.equal(await addOne(attempts, "key", 0), 3);
    assert.equal(await addOne(attempts, "key", -10), 0);
    await clock.advance(10);
    assert.equal(await addOne(attempts, "key", 1), 1);
    assert.equal(await addOne(attempts, "other", 0), 0);
  },

  "pruning erases no count of attempts that has not ended": async ({ store, clock }) => {
    const { attempts } = store;
    if (attempts === undefined) return;
    await addOne(attempts, "old", 1);
    await clock.advance(WINDOW_MS - 1000);
    await addOne(attempts, "new", 1);
    await clock.advance(1000);
    await store.prune();
    assert.equal(await addOne(attempts, "old", 1), 1);
    assert.equal(await addOne(attempts, "new", 1), 2);
  },
};
