import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { histories } from "./commands.ts";
import type { Invariant } from "./invariants.ts";
import { live } from "./live.ts";
import type { Mistake } from "./mistakes.ts";
import { mutants } from "./mutants.ts";
import { Violation } from "./witness.ts";

/** The same histories for everybody, so that none is found by luck. */
const SAME = { seed: 1, endOnFailure: true };

/** Whether some history shows that `invariant` does not hold. */
async function isFound(mistake: Mistake, invariant: Invariant): Promise<boolean> {
  let found = false;
  const search = fc.asyncProperty(fc.scheduler(), histories, async (scheduler, history) => {
    await live({ scheduler, mistake }, history).catch((error: unknown) => {
      if (!(error instanceof Violation)) throw error;
      found = error.names.includes(invariant);
    });
    return !found;
  });
  await fc.check(search, { ...SAME, numRuns: 250 });
  return found;
}

describe("mutants of sessions, and the invariant that must find each", () => {
  test("nothing is found where nothing is wrong", async () => {
    const same = fc.asyncProperty(fc.scheduler(), histories, async (scheduler, history) => {
      await live({ scheduler }, history);
    });
    await fc.assert(same, { ...SAME, numRuns: 20 });
  });

  for (const [name, invariant, mistake] of mutants) {
    test(`${invariant}: ${name}`, async () => {
      assert.ok(await isFound(mistake, invariant));
    });
  }
});
