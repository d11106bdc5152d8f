import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { LatencyWindow } from "../../src/resilience/latency-window.ts";

test("p99Ms is a sample that at most one in a hundred of the latest samples exceeds, and 0 before the first", () => {
  assert.equal(new LatencyWindow().p99Ms, 0);
  fc.assert(
    fc.property(fc.array(fc.nat(5_000), { minLength: 1, maxLength: 400 }), (answers) => {
      const window = new LatencyWindow();
      for (const ms of answers) window.add(ms);
      const latest = answers.slice(-100);
      const longer = latest.filter((ms) => ms > window.p99Ms).length;
      assert.ok(latest.includes(window.p99Ms));
      assert.ok(longer <= latest.length / 100);
    }),
  );
});
