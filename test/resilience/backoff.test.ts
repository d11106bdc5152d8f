import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { backoffMs, jitter } from "../../src/resilience/backoff.ts";

test("the back-off doubles from the first wait up to its ceiling", () => {
  const longestMs = (failures: number) => backoffMs(failures, { firstMs: 100, maxMs: 1000, random: () => 1 });
  assert.deepEqual([0, 1, 2, 3, 4, 5, 500].map(longestMs), [100, 100, 200, 400, 800, 1000, 1000]);
});

test("the back-off stays within the upper half of its wait", () => {
  fc.assert(
    fc.property(fc.nat(2000), fc.double({ min: 0, max: 1, noNaN: true }), (failures, draw) => {
      const ms = backoffMs(failures, { firstMs: 250, maxMs: 30_000, random: () => draw });
      const most = backoffMs(failures, { firstMs: 250, maxMs: 30_000, random: () => 1 });
      assert.ok(ms >= most / 2 && ms <= most && most <= 30_000);
    }),
  );
});

test("jitter stays within its spread on both sides", () => {
  const spread = [0, 0.5, 1].map((draw) => Math.round(jitter(1000, 0.2, () => draw)));
  assert.deepEqual(spread, [800, 1000, 1200]);
});
