import assert from "node:assert/strict";
import { test } from "node:test";
import { forEachInTurns, nextTurn } from "../../src/resilience/turns.ts";

/** Counts the turns of the event loop until `isOver` returns true. */
async function countTurns(isOver: () => boolean): Promise<number> {
  let turns = 0;
  while (!isOver()) {
    await new Promise<void>((next) => setImmediate(next));
    turns++;
  }
  return turns;
}

test("fault 74: work on many items lets other work run after each group, and a small set is done at once", async () => {
  const items = Array.from({ length: 10 }, (_, i) => i);
  const done: number[] = [];
  void forEachInTurns(items, (item) => void done.push(item), 10);
  assert.deepEqual(done, items);
  done.length = 0;
  const working = forEachInTurns(items, (item) => void done.push(item), 4);
  const seen = new Set<number>();
  await countTurns(() => {
    seen.add(done.length);
    return done.length === 10;
  });
  assert.deepEqual([...seen], [4, 8, 10]);
  assert.equal(await working, true);
  assert.deepEqual(done, items);
});

test("a step that returns false ends the work", async () => {
  const done: number[] = [];
  const step = (item: number) => {
    done.push(item);
    return item < 2;
  };
  assert.equal(await forEachInTurns([1, 2, 3], step), false);
  assert.deepEqual(done, [1, 2]);
});

test("fault 74: large work that starts together continues in separate turns", async () => {
  let continued = 0;
  const waiting = Array.from({ length: 10 }, async () => {
    await nextTurn();
    continued++;
  });
  let most = 0;
  let last = 0;
  const turns = await countTurns(() => {
    most = Math.max(most, continued - last);
    last = continued;
    return continued === 10;
  });
  await Promise.all(waiting);
  assert.ok(turns >= 10, `${turns} turns`);
  assert.equal(most, 1);
});
