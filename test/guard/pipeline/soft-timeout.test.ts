import assert from "node:assert/strict";
import { test } from "node:test";
import { SoftTimeout } from "../../../src/guard/pipeline/soft-timeout.ts";
import { FakeClock } from "../../../src/testing/index.ts";

test("the time in which a question waits for a place does not count, whenever its first caller comes", async () => {
  const clock = new FakeClock();
  const waited: number[] = [];
  const timeout = new SoftTimeout(
    clock,
    () => 100,
    (ms) => waited.push(ms),
  );
  timeout.pause();
  const ended = timeout.ended();
  await clock.advance(5_000);
  timeout.resume();
  await clock.advance(40);
  timeout.pause();
  await clock.advance(5_000);
  timeout.resume();
  await clock.advance(59);
  assert.deepEqual(waited, []);
  await clock.advance(1);
  assert.deepEqual(waited, [100]);
  assert.equal(await ended, null);
});
