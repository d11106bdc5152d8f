import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { RetryBudget } from "../../src/resilience/retry-budget.ts";

test("fault 22: however questions and failures come, retries add at most a tenth", () => {
  fc.assert(
    fc.property(fc.array(fc.boolean(), { maxLength: 500 }), (fails) => {
      const budget = new RetryBudget();
      let retries = 0;
      for (const [questions, failed] of fails.entries()) {
        budget.recordRequest();
        if (failed && budget.trySpend()) retries++;
        assert.ok(retries <= (questions + 1) / 10);
      }
    }),
  );
});

test("a long quiet time saves up five retries and no more", () => {
  const budget = new RetryBudget();
  for (let i = 0; i < 1000; i++) budget.recordRequest();
  assert.deepEqual(
    Array.from({ length: 6 }, () => budget.trySpend()),
    [true, true, true, true, true, false],
  );
});
