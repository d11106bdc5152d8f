import assert from "node:assert/strict";
import { test } from "node:test";
import { drawPlan } from "../../sim/plan.ts";
import { simulate } from "../../sim/simulate.ts";
import { findDivergence } from "../../src/testing/simulation/index.ts";

/** The first seed with two faults of the servers of the store. */
function findSeed(minutes: number): number {
  for (let seed = 1; ; seed++) {
    const faults = drawPlan(seed, minutes).faults.filter(({ kind }) => /^store (?:refuses|loses)/.test(kind));
    if (faults.length >= 2) return seed;
  }
}

for (const [store, minutes] of [
  ["redis-cluster", 2],
  ["sqlite", 4],
] as const) {
  const seed = findSeed(minutes);
  test(`a simulated deployment on ${store} keeps its promises, and replays the seed exactly`, async () => {
    const run = async () => await simulate({ seed, minutes, store, trace: true });
    const first = await run();
    const replay = `npm run simulate -- --store ${store} --minutes ${minutes} --replay ${seed}`;
    assert.deepEqual(first.violations, [], replay);
    assert.ok(first.history.some(({ kind }) => kind === "server fault"));
    const second = await run();
    assert.equal(findDivergence(first.trace, second.trace), null);
  });
}
