import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { FakeClock } from "holdfast/testing";
import { mapStore } from "../../examples/own-store.ts";
import { logIn } from "../../src/stores/conformance/fixtures.ts";
import { memoryStore } from "../../src/stores/memory.ts";
import { applyStep, steps, type Step } from "./session-steps.ts";

const DAY_MS = 24 * 60 * 60 * 1000;

/** Steps after which whole days may pass, so that pruning erases sessions and entries. */
const longSteps = fc.array(
  fc.oneof(
    { weight: 3, arbitrary: steps },
    { weight: 1, arbitrary: fc.constantFrom<Step[]>([{ do: "wait", ms: 2 * DAY_MS }, { do: "prune" }]) },
  ),
  { maxLength: 4 },
);

test("law 8: a store that is built on the kit and SQLite give the same answers to any sequence of commands", async () => {
  await fc.assert(
    fc.asyncProperty(longSteps, async (sequences) => {
      const clocks = [new FakeClock(), new FakeClock()] as const;
      const stores = [memoryStore({ clock: clocks[0] }), mapStore({ clock: clocks[1] })] as const;
      for (const store of stores) await logIn(store, "s");
      for (const step of sequences.flat()) {
        const seen = [
          await applyStep(step, stores[0], clocks[0]),
          await applyStep(step, stores[1], clocks[1]),
        ];
        assert.deepEqual(seen[1], seen[0]);
        const sessions = await Promise.all(stores.map(async (store) => await store.sessions.get("s")));
        assert.deepEqual(sessions[1], sessions[0]);
        const logs = await Promise.all(stores.map(async (store) => await store.revocations.snapshot()));
        const withoutEpoch = logs.map(({ position, entries }) => ({ seq: position.seq, entries }));
        assert.deepEqual(withoutEpoch[1], withoutEpoch[0]);
      }
      for (const store of stores) await store.close();
    }),
    { numRuns: 200 },
  );
});
