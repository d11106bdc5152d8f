import assert from "node:assert/strict";
import { test } from "node:test";
import { elapsedMs, readClock, sleep } from "../../src/core/clock.ts";
import { FakeClock } from "../../src/testing/fake-clock.ts";

test("timers fire in order of their time, then of their creation, each at its own time", async () => {
  const clock = new FakeClock(1000);
  const seen: [string, number, number][] = [];
  const note = (name: string) => () => seen.push([name, clock.now(), clock.monotonic()]);
  clock.after(30, note("c"));
  clock.after(10, note("a"));
  clock.after(10, note("b"));
  clock.after(31, note("late"));
  await clock.advance(30);
  assert.deepEqual(seen, [
    ["a", 1010, 10],
    ["b", 1010, 10],
    ["c", 1030, 30],
  ]);
  assert.equal(clock.now(), 1030);
  assert.equal(clock.pending, 1);
});

test("work that a timer starts runs before the next timer, and can set timers that are due at once", async () => {
  const clock = new FakeClock();
  const seen: string[] = [];
  const chain = async () => {
    await sleep(clock, 10);
    for (let i = 0; i < 20; i++) await Promise.resolve();
    seen.push("first");
    await sleep(clock, 10);
    seen.push("second");
  };
  const done = chain();
  clock.after(15, () => seen.push("between"));
  await clock.advance(20);
  await done;
  assert.deepEqual(seen, ["first", "between", "second"]);
});

test("a cancelled timer does not fire, and a timer of 0 ms takes 1 ms", async () => {
  const clock = new FakeClock();
  let fired = 0;
  clock.after(5, () => fired++)();
  clock.after(0, () => fired++);
  await clock.advance(0);
  assert.equal(fired, 0);
  await clock.advance(10);
  assert.equal(fired, 1);
});

test("suspend and setWall move the wall clock only", async () => {
  const clock = new FakeClock(0);
  let fired = false;
  clock.after(100, () => (fired = true));
  const then = readClock(clock);
  clock.suspend(1000);
  await clock.advance(0);
  assert.equal(fired, false);
  assert.equal(clock.monotonic(), 0);
  assert.equal(elapsedMs(clock, then), 1000);
  clock.setWall(-5000);
  await clock.advance(100);
  assert.equal(fired, true);
  assert.equal(elapsedMs(clock, then), 100);
});

test("after a blocked event loop overdue timers run in order, before events from the block", async () => {
  const clock = new FakeClock(0);
  const seen: [string, number, number][] = [];
  const note = (name: string) => seen.push([name, clock.now(), clock.monotonic()]);
  clock.after(500, () => {
    note("second");
    void Promise.resolve().then(() => note("what the second did"));
    clock.after(100, () => note("set late"));
  });
  clock.after(100, () => note("first"));
  clock.after(2000, () => note("third"));
  clock.after(2001, () => note("not yet"));
  setImmediate(() => note("arrived"));
  const blocked = clock.block(2000);
  assert.deepEqual(seen, [["first", 2000, 2000]]);
  await blocked;
  assert.deepEqual(
    seen.map(([name]) => name),
    ["first", "second", "what the second did", "third", "arrived"],
  );
  assert.ok(seen.every(([, wall, monotonic]) => wall === 2000 && monotonic === 2000));
  await clock.advance(100);
  assert.deepEqual(seen.slice(5), [
    ["not yet", 2001, 2001],
    ["set late", 2100, 2100],
  ]);
});

test("now() is whole after any move", async () => {
  const clock = new FakeClock(1_000);
  await clock.advance(0.75);
  assert.deepEqual([clock.now(), clock.monotonic()], [1_000, 0.75]);
  await clock.advance(0.5);
  assert.equal(clock.now(), 1_001);
});
