import assert from "node:assert/strict";
import { test } from "node:test";
import { elapsedMs, readClock, sleep, systemClock } from "../../src/core/clock.ts";
import { FakeClock } from "../../src/testing/fake-clock.ts";

test("an age is the larger of wall-clock and monotonic time, and grows while the machine is suspended", async () => {
  const clock = new FakeClock();
  const then = readClock(clock);
  await clock.advance(1000);
  assert.equal(elapsedMs(clock, then), 1000);
  clock.suspend(5000);
  assert.equal(elapsedMs(clock, then), 6000);
});

test("a wall clock that is set back does not make an age smaller than the monotonic time", async () => {
  const clock = new FakeClock();
  const then = readClock(clock);
  await clock.advance(1000);
  clock.setWall(clock.now() - 3_600_000);
  assert.equal(elapsedMs(clock, then), 1000);
});

test("a sleep ends after its time or with the signal's own reason, and leaves no timer behind", async () => {
  const clock = new FakeClock();
  const slept = sleep(clock, 500);
  await clock.advance(500);
  await slept;

  const controller = new AbortController();
  const cut = sleep(clock, 500, controller.signal);
  const reason = new Error("enough");
  controller.abort(reason);
  await assert.rejects(cut, reason);
  assert.equal(clock.pending, 0);
  await assert.rejects(sleep(clock, 500, controller.signal), reason);
  assert.equal(clock.pending, 0);
});

test("a timer with a longer delay than Node supports does not fire at once", async () => {
  let fired = false;
  const cancel = systemClock.after(2 ** 31, () => (fired = true));
  await new Promise((resolve) => void systemClock.after(5, () => resolve(null), true));
  cancel();
  assert.equal(fired, false);
});
