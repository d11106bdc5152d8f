import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { FairBulkhead, type FairPlace } from "../../src/resilience/fair-bulkhead.ts";

const unknown = (group: string): FairPlace => ({ lane: "unknown", group });
const known = (group: string): FairPlace => ({ lane: "known", group });

/** Runs tasks that end when `end` is called. `started` lists their names in the order of their starts. */
function createQueue(limits: { running: number; waiting: number }) {
  const pool = new FairBulkhead("tests", limits);
  const started: string[] = [];
  const ends: (() => void)[] = [];
  const add = (name: string, place: FairPlace, signal?: AbortSignal) => {
    const outcome = pool.run(
      place,
      async () => {
        started.push(name);
        await new Promise<void>((end) => ends.push(end));
        return name;
      },
      signal,
    );
    const status = outcome.then(
      () => "done",
      (error: Error & { code?: string }) => error.code ?? error.message,
    );
    return { status };
  };
  const end = async () => {
    ends.shift()?.();
    await new Promise(setImmediate);
  };
  return { add, end, started, ends };
}

describe("FairBulkhead", () => {
  test("fault 78: the groups take turns, so a large group does not delay the only task of another", async () => {
    const { add, end, started } = createQueue({ running: 1, waiting: 10 });
    for (const name of ["a1", "a2", "a3", "a4"]) add(name, unknown("a"));
    add("b1", unknown("b"));
    add("c1", unknown("c"));
    while (started.length < 6) await end();
    assert.deepEqual(started, ["a1", "a2", "b1", "c1", "a3", "a4"]);
  });

  test("fault 78: the lanes take turns, so neither lane stops the other", async () => {
    const { add, end, started } = createQueue({ running: 1, waiting: 10 });
    add("first", unknown("a"));
    for (const i of [1, 2, 3]) add(`u${i}`, unknown(`u${i}`));
    for (const i of [1, 2, 3]) add(`k${i}`, known(`k${i}`));
    while (started.length < 7) await end();
    assert.deepEqual(started, ["first", "k1", "u1", "k2", "u2", "k3", "u3"]);
  });

  test("fault 78: a task of a small group displaces the newest task of the largest group", async () => {
    const { add, end, started } = createQueue({ running: 1, waiting: 3 });
    add("a0", unknown("a"));
    const [, , newest] = ["a1", "a2", "a3"].map((name) => add(name, unknown("a")));
    const beyond = add("a4", unknown("a"));
    assert.equal(await beyond.status, "overloaded");
    add("b1", unknown("b"));
    assert.equal(await newest?.status, "overloaded");
    const second = add("b2", unknown("b"));
    assert.equal(await second.status, "overloaded", "its group would become as large");
    add("k1", known("a"));
    while (started.length < 5) await end();
    assert.deepEqual(started, ["a0", "k1", "a1", "b1", "a2"]);
  });

  test("a waiting task that is aborted leaves its place, and a running one keeps it", async () => {
    const { add, end, started, ends } = createQueue({ running: 1, waiting: 1 });
    const controller = new AbortController();
    const first = add("first", unknown("a"), controller.signal);
    const waiting = add("waiting", unknown("a"), controller.signal);
    controller.abort(new Error("gone"));
    assert.equal(await waiting.status, "gone");
    assert.equal(await add("late", unknown("a"), controller.signal).status, "gone");
    add("next", unknown("a"));
    assert.deepEqual(started, ["first"]);
    assert.equal(ends.length, 1);
    await end();
    assert.equal(await first.status, "done");
    assert.deepEqual(started, ["first", "next"]);
  });

  test("the places of tasks that have run are free again", async () => {
    const { add, end, started } = createQueue({ running: 1, waiting: 2 });
    for (let round = 1; round <= 3; round++) {
      const outcomes = ["a", "b", "c"].map((group) => add(group, unknown(group)).status);
      assert.equal(await add("beyond", unknown("d")).status, "overloaded");
      while (started.length < 3 * round) await end();
      await end();
      assert.deepEqual(await Promise.all(outcomes), ["done", "done", "done"]);
    }
  });

  test("property: at most the limits run and wait, and every task ends", async () => {
    const place = fc.record({
      lane: fc.constantFrom<FairPlace["lane"]>("known", "unknown"),
      group: fc.constantFrom("a", "b", "c"),
    });
    const step = fc.oneof(place, fc.constant("end" as const));
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (plan) => {
        const { add, end, started, ends } = createQueue({ running: 2, waiting: 3 });
        const outcomes: Promise<string>[] = [];
        for (const one of plan) {
          if (one === "end") await end();
          else outcomes.push(add("task", one).status);
          await new Promise(setImmediate);
          assert.ok(ends.length <= 2);
        }
        while (ends.length > 0) await end();
        const all = await Promise.all(outcomes);
        assert.ok(all.every((status) => status === "done" || status === "overloaded"));
        assert.equal(all.filter((status) => status === "done").length, started.length);
      }),
      { numRuns: 50 },
    );
  });
});
