import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { RetryBudget } from "../../src/resilience/retry-budget.ts";

test("fault 22: in any order of requests and failures, retries add at most a tenth to the load, after five at the beginning", () => {
  fc.assert(
    fc.property(fc.array(fc.boolean(), { maxLength: 500 }), (fails) => {
      const budget = new RetryBudget();
      let retries = 0;
      for (const [requests, failed] of fails.entries()) {
        budget.recordRequest();
        if (failed && budget.trySpend()) retries++;
        assert.ok(retries <= Math.max(5, (requests + 1) / 10));
      }
    }),
  );
});

test("fault 22: the first request of a process may be retried", () => {
  const budget = new RetryBudget();
  budget.recordRequest();
  assert.equal(budget.trySpend(), true);
});

test("a long time without failures saves up five retries and no more", () => {
  const budget = new RetryBudget();
  for (let i = 0; i < 1000; i++) budget.recordRequest();
  assert.deepEqual(
    Array.from({ length: 6 }, () => budget.trySpend()),
    [true, true, true, true, true, false],
  );
});
