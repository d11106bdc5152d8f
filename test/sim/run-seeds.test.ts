import assert from "node:assert/strict";
import { test } from "node:test";
import { runSeeds, type SeedRange, type SeedResult } from "../../sim/run-seeds.ts";

const range: SeedRange = {
  first: 3,
  count: 2,
  minutes: 0,
  store: "memory",
  forced: [],
  limitMs: Infinity,
  jobs: 1,
};

async function collect(more: Partial<SeedRange>): Promise<SeedResult[]> {
  const results: SeedResult[] = [];
  for await (const result of runSeeds({ ...range, ...more })) results.push(result);
  return results;
}

/** The part of a result that is the same in every run of a seed. */
const reproducible = ({ seed, violations, counts }: SeedResult) => ({
  seed,
  violations,
  counts: { ...counts, processorMs: 0 },
});

test("seeds that are simulated in two processes have the same results in the same order", async () => {
  const [alone, together] = [await collect({}), await collect({ jobs: 2 })];
  assert.deepEqual(
    together.map(({ seed }) => seed),
    [3, 4],
  );
  assert.deepEqual(together.map(reproducible), alone.map(reproducible));
  assert.ok(together.every(({ counts }) => counts.steps > 1_000 && counts.processorMs > 0));
});

test("no seed begins after the limit of time, in one process or in several", async () => {
  assert.deepEqual(await collect({ limitMs: 0 }), []);
  assert.deepEqual(await collect({ limitMs: 0, jobs: 2 }), []);
});

test("a seed whose process fails ends the run with an error that names the seed", async () => {
  await assert.rejects(collect({ minutes: -1, jobs: 2 }), /the process that simulated seed 3 failed/);
});
