import assert from "node:assert/strict";
import { test } from "node:test";
import { MinuteFold } from "../../../src/server/dashboard/minute-fold.ts";

test("a minute has the mean of its rates, and the worst second of its states, ages and percentiles", () => {
  const fold = new MinuteFold([
    "logins.okPerS",
    "health.store",
    "store.up",
    "store.p99Ms",
    "issuer.0.keysAgeS",
  ]);
  assert.equal(fold.add(60_000, [2, 0, 1, 5, 10]), null);
  assert.equal(fold.add(90_000, [4, 2, 0, null, 40]), null);
  assert.deepEqual(fold.add(120_500, [9, 0, 1, null, 1]), { at: 120_000, values: [3, 2, 0, 5, 40] });
  assert.deepEqual(fold.add(185_000, [0, 0, 1, 1, 1])?.values, [9, 0, 1, null, 1]);
});
