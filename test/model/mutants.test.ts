import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { histories } from "./commands.ts";
import type { Invariant } from "./invariants.ts";
import { runHistory } from "./run-history.ts";
import type { Fault } from "./store-faults.ts";
import { mutants } from "./mutants.ts";
import { Violation } from "./observer.ts";

/**
 * All mutants get the same histories, so that none is found by luck. With this seed the last mutant is found in history 108 of
 * 250, and with seed 1 in history 194. The search takes half the time.
 */
const FIXED_RUN = { seed: 7, endOnFailure: true };

/** Whether a history exists in which `invariant` does not hold. */
async function isFound(fault: Fault, invariant: Invariant): Promise<boolean> {
  let found = false;
  const search = fc.asyncProperty(fc.scheduler(), histories, async (scheduler, history) => {
    await runHistory({ scheduler, fault: fault }, history).catch((error: unknown) => {
      if (!(error instanceof Violation)) throw error;
      found = error.names.includes(invariant);
    });
    return !found;
  });
  await fc.check(search, { ...FIXED_RUN, numRuns: 250 });
  return found;
}

describe("mutants of sessions and the invariants that find them", () => {
  test("no invariant is violated without a fault", async () => {
    const same = fc.asyncProperty(fc.scheduler(), histories, async (scheduler, history) => {
      await runHistory({ scheduler }, history);
    });
    await fc.assert(same, { ...FIXED_RUN, numRuns: 20 });
  });

  for (const [name, invariant, fault] of mutants) {
    test(`${invariant}: ${name}`, async () => {
      assert.ok(await isFound(fault, invariant));
    });
  }
});
