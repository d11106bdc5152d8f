import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { mergeKeySets, removeKey, type KeySet } from "../../src/stores/redis/merge-key-sets.ts";
import { decideKeyRotation } from "../../src/stores/signing-key-rotation.ts";
import { keyRecord } from "./key-record.ts";

const start: KeySet = { keys: [keyRecord("k1", 1), keyRecord("k2")], removed: [] };
const findActive = ({ keys }: KeySet) =>
  keys.filter((key) => key.activatedAt !== null && key.retiredAt === null);
const replaced: ReadonlySet<string> = new Set();

/** One step of a process: a rotation, the removal of the oldest retired key, or a failover to an earlier state. */
interface Step {
  readonly process: number;
  readonly action: string;
  readonly lost: number;
  readonly time: number;
}

const step: fc.Arbitrary<Step> = fc.record({
  process: fc.nat(2),
  action: fc.constantFrom("rotate", "rotate", "remove", "failover"),
  /** How many changes a failover loses. */
  lost: fc.integer({ min: 1, max: 4 }),
  /** The clock of a new primary may be behind. */
  time: fc.integer({ min: 2, max: 100 }),
});

/** Returns the keys that the store has after the steps, and the last key set that each process acknowledged. */
function run(steps: readonly Step[]) {
  let states = [start];
  let made = 2;
  const acknowledged = new Map<number, KeySet>();
  for (const { process, action, lost, time } of steps) {
    const standing = states.at(-1) as KeySet;
    if (action === "failover") {
      states = states.slice(0, Math.max(1, states.length - lost));
      continue;
    }
    const [active] = findActive(standing);
    const retired = standing.keys.find((key) => key.retiredAt !== null);
    const rotate = (current: string) =>
      decideKeyRotation(standing.keys, current, keyRecord(`k${++made}`), time) ?? assert.fail("no rotation");
    if (action === "remove" && retired === undefined) continue;
    const changed =
      action === "remove"
        ? removeKey(standing, retired?.kid ?? "")
        : { ...standing, keys: rotate(active?.kid ?? "") };
    states.push(changed);
    acknowledged.set(process, changed);
  }
  return { standing: states.at(-1) as KeySet, acknowledged };
}

test("fault 64: lost changes of keys are applied again in any order, and exactly one key signs", () => {
  fc.assert(
    fc.property(
      fc.array(step, { maxLength: 14 }),
      fc.shuffledSubarray([0, 1, 2], { minLength: 3 }),
      (steps, order) => {
        const { standing, acknowledged } = run(steps);
        const sets = order.flatMap((process) => acknowledged.get(process) ?? []);
        let merged = standing;
        for (const set of sets) {
          const [before] = findActive(merged);
          merged = mergeKeySets(merged, { ...set, replaced }, 50);
          const active = findActive(merged);
          assert.equal(active.length, 1, "one key signs");
          assert.ok(
            merged.keys.some(({ activatedAt }) => activatedAt === null),
            "a next key is published",
          );
          const own = set.keys.find(({ kid }) => kid === before?.kid);
          const isKept = own?.retiredAt == null && !set.removed.includes(before?.kid ?? "");
          if (isKept)
            assert.equal(active[0]?.kid, before?.kid, "the key that the store calls active goes on");
          for (const kid of set.removed)
            assert.ok(!merged.keys.some((key) => key.kid === kid), "stays removed");
          for (const { kid, activatedAt } of set.keys) {
            const isThere = merged.keys.some((key) => key.kid === kid) || merged.removed.includes(kid);
            assert.ok(activatedAt === null || isThere, "a key that has signed is there");
          }
        }
        const kids = merged.keys.map(({ kid }) => kid);
        assert.equal(new Set(kids).size, kids.length);
        for (const set of sets) assert.deepEqual(mergeKeySets(merged, { ...set, replaced }, 60), merged);
      },
    ),
    { numRuns: 3_000 },
  );
});

test("fault 64: a lost removal of the active key activates the next key, and never leaves a store without one", () => {
  const acknowledged = { keys: [], removed: ["k1"], replaced };
  const { keys, removed } = mergeKeySets(start, acknowledged, 50);
  assert.deepEqual([keys, removed], [[keyRecord("k2", 50)], ["k1"]]);
  const single: KeySet = { keys: [keyRecord("k1", 1)], removed: [] };
  assert.deepEqual(mergeKeySets(single, acknowledged, 50), single);
});

test("fault 64: a lost key that nothing was signed with is not published beside another next key", () => {
  const rotate = (kid: string): KeySet => ({
    keys: decideKeyRotation(start.keys, "k1", keyRecord(kid), 50) ?? [],
    removed: [],
  });
  assert.deepEqual(mergeKeySets(rotate("k4"), { ...rotate("k3"), replaced }, 60), rotate("k4"));
});
