import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { systemClock } from "../../src/core/clock.ts";
import { Batcher } from "../../src/resilience/batcher.ts";

test("the items of one turn of the event loop are sent together, and each caller gets its own index", async () => {
  const sent: (readonly string[])[] = [];
  const batcher = new Batcher<string, number>(systemClock, async (items) => {
    sent.push(items);
    return await Promise.resolve(items.length);
  });
  const later = async (item: string) => {
    await Promise.resolve();
    return await batcher.add(item);
  };
  assert.deepEqual(await Promise.all([batcher.add("a"), later("b"), batcher.add("c")]), [
    { result: 3, index: 0 },
    { result: 3, index: 2 },
    { result: 3, index: 1 },
  ]);
  assert.deepEqual(sent, [["a", "c", "b"]]);
});

test("items of a later turn are sent in a separate batch, even while the first one is running", async () => {
  const finish: ((result: string) => void)[] = [];
  const batcher = new Batcher<string, string>(
    systemClock,
    async () => await new Promise((resolve) => finish.push(resolve)),
  );
  const first = batcher.add("a");
  await nextTurn();
  const second = batcher.add("b");
  await nextTurn();
  assert.equal(finish.length, 2);
  finish[1]?.("second");
  finish[0]?.("first");
  assert.deepEqual(await Promise.all([first, second]), [
    { result: "first", index: 0 },
    { result: "second", index: 0 },
  ]);
});
