import assert from "node:assert/strict";
import { test } from "node:test";
import { systemClock, type Clock } from "../../src/core/clock.ts";
import { FakeClock } from "../../src/testing/index.ts";
import { forEachInTurns, ownTurn } from "../../src/resilience/turns.ts";

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
  void forEachInTurns(systemClock, items, (item) => void done.push(item), 10);
  assert.deepEqual(done, items);
  done.length = 0;
  const working = forEachInTurns(systemClock, items, (item) => void done.push(item), 4);
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
  assert.equal(await forEachInTurns(systemClock, [1, 2, 3], step), false);
  assert.deepEqual(done, [1, 2]);
});

test("fault 74: large work that starts together continues in separate turns", async () => {
  let continued = 0;
  const waiting = Array.from({ length: 10 }, async () => {
    await ownTurn(systemClock);
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

test("a clock with turns of its own decides when work continues, whatever the event loop does", async () => {
  const turns: (() => void)[] = [];
  const clock: Clock = Object.assign(new FakeClock(), { turn: (fn: () => void) => void turns.push(fn) });
  const done: number[] = [];
  const working = forEachInTurns(clock, [1, 2, 3], (item) => void done.push(item), 1);
  // Work on another clock does not wait for this one.
  await ownTurn(systemClock);
  assert.deepEqual(done, [1]);
  for (const expected of [
    [1, 2],
    [1, 2, 3],
  ]) {
    turns.shift()?.();
    await new Promise<void>((next) => setImmediate(next));
    assert.deepEqual(done, expected);
  }
  assert.equal(await working, true);
});
