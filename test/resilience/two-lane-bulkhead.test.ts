import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { TwoLaneBulkhead, type Lane } from "../../src/resilience/two-lane-bulkhead.ts";

const turn = async () => await new Promise<void>((resolve) => setImmediate(resolve));

test("fault 76: unknown tasks leave the reserved places free, and waiting known tasks start first", async () => {
  const bulkhead = new TwoLaneBulkhead("a test", { running: 4, reserved: 1, waiting: 2 });
  const started: string[] = [];
  const ends: (() => void)[] = [];
  const run = (lane: Lane, name: string) =>
    bulkhead.run(lane, async () => {
      started.push(name);
      await new Promise<void>((end) => ends.push(end));
    });
  const tasks = ["u1", "u2", "u3", "u4", "u5"].map((name) => run("unknown", name));
  assert.deepEqual([started, bulkhead.isFull("unknown")], [["u1", "u2", "u3"], true]);
  await assert.rejects(run("unknown", "u6"), { code: "overloaded" });
  tasks.push(...["k1", "k2", "k3"].map((name) => run("known", name)));
  assert.deepEqual([started.slice(3), bulkhead.isFull("known")], [["k1"], true]);
  await assert.rejects(run("known", "k4"), { code: "overloaded" });
  while (ends.length > 0) {
    ends.shift()?.();
    await turn();
  }
  await Promise.all(tasks);
  assert.deepEqual(started.slice(3), ["k1", "k2", "k3", "u4", "u5"]);
});

test("fault 76: in any order of tasks every accepted task runs, within the limits, and a failed one frees its place", async () => {
  const lanes = fc.array(fc.constantFrom<Lane>("known", "unknown"), { maxLength: 60 });
  const limits = fc.record({ running: fc.integer({ min: 1, max: 6 }), waiting: fc.nat(8) });
  await fc.assert(
    fc.asyncProperty(lanes, limits, async (asked, { running, waiting }) => {
      const reserved = Math.floor(running / 4);
      const bulkhead = new TwoLaneBulkhead("a test", { running, reserved, waiting });
      const now = { known: 0, unknown: 0 };
      let [ran, accepted] = [0, 0];
      const results = asked.map(async (lane, i) => {
        if (bulkhead.isFull(lane)) return;
        accepted++;
        await bulkhead.run(lane, async () => {
          now[lane]++;
          assert.ok(now.known + now.unknown <= running && now.unknown <= running - reserved);
          await turn();
          now[lane]--;
          ran++;
          if (i % 3 === 0) throw new Error("failed");
        });
      });
      await Promise.allSettled(results);
      assert.deepEqual([ran, bulkhead.isFull("known"), bulkhead.isFull("unknown")], [accepted, false, false]);
    }),
    { numRuns: 50 },
  );
});
