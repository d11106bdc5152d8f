import assert from "node:assert/strict";
import { test } from "node:test";
import { simulate } from "../../sim/simulate.ts";
import { timeLine } from "../../sim/time-line.ts";
import { findDivergence } from "../../src/testing/simulation/index.ts";

/** Simulated minutes of a run here. `npm run simulate` runs longer and more. */
const MINUTES = 4;

/** Seeds with several services, guards, clocks and clients, and seeds that once failed. */
const seeds = [11, 12, 23, 46];

for (const seed of seeds) {
  test(`a simulated deployment keeps its promises under faults, and replays the seed ${seed} exactly`, async () => {
    const run = async () => await simulate({ seed, minutes: MINUTES, trace: true });
    const first = await run();
    assert.deepEqual(first.violations, [], `npm run simulate -- --minutes ${MINUTES} --replay ${seed}`);
    assert.ok(
      first.history.some(({ kind }) => kind === "answer"),
      "the clients got answers",
    );
    const second = await run();
    assert.equal(findDivergence(first.trace, second.trace), null);
    assert.equal(first.hash, second.hash);
  });
}

test("a fault that is left out changes no other fault, and the time line shows those that remain", async () => {
  const whole = await simulate({ seed: 18, minutes: MINUTES });
  const without = new Set([1, 3]);
  const result = await simulate({ seed: 18, minutes: MINUTES, without });
  const numbers = ({ history }: typeof whole) =>
    history.flatMap(({ kind, at, data }) => (kind === "fault" ? [[data["number"], at]] : []));
  assert.deepEqual(
    numbers(result),
    numbers(whole).filter(([number]) => !without.has(number as number)),
  );
  const lines = timeLine(result, false);
  assert.equal(lines.filter((line) => line.includes("world") && /\bfault \w/.test(line)).length > 0, true);
  assert.ok(lines.some((line) => /^ +\d+:\d\d\.\d{3} {2}client-\w+ +login user=\S+ → 200/.test(line)));
});
