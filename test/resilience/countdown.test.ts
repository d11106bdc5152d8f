import assert from "node:assert/strict";
import { test } from "node:test";
import { readClock } from "../../src/core/clock.ts";
import { remainingMs } from "../../src/resilience/countdown.ts";
import { FakeClock } from "../../src/testing/index.ts";

test("a countdown runs on the larger of both clocks and ends at 0", async () => {
  const clock = new FakeClock();
  const countdown = { since: readClock(clock), ms: 10_000 };
  assert.equal(remainingMs(clock, countdown), 10_000);
  await clock.advance(1_000);
  assert.equal(remainingMs(clock, countdown), 9_000);
  clock.suspend(2_000);
  assert.equal(
    remainingMs(clock, countdown),
    7_000,
    "the monotonic clock stands still while the machine sleeps",
  );
  clock.setWall(clock.now() - 3_600_000);
  assert.equal(remainingMs(clock, countdown), 9_000, "the wall clock was set back");
  await clock.advance(20_000);
  assert.equal(remainingMs(clock, countdown), 0);
});

test("without a countdown no time remains", () => {
  assert.equal(remainingMs(new FakeClock(), null), 0);
});
