import assert from "node:assert/strict";
import { test } from "node:test";
import { readPages } from "../../src/resilience/pages.ts";

test("pages come in order, and the next one is read while the caller works on a page", async () => {
  const read: (string | null)[] = [];
  const readPage = async (cursor: string | null) => {
    read.push(cursor);
    const number = Number(cursor ?? 0);
    return await Promise.resolve({ number, next: number < 3 ? String(number + 1) : null });
  };
  const numbers: number[] = [];
  for await (const { number } of readPages(readPage)) {
    numbers.push(number);
    assert.equal(read.length, Math.min(4, number + 2));
  }
  assert.deepEqual(numbers, [0, 1, 2, 3]);
  assert.deepEqual(read, [null, "1", "2", "3"]);
});

test("a page that fails rejects where it is awaited, and nowhere when the caller has ended", async () => {
  const readPage = async (cursor: string | null) => {
    if (cursor !== null) throw new Error("a fault");
    return await Promise.resolve({ next: "1" });
  };
  const all = async () => {
    for await (const _ of readPages(readPage)) continue;
  };
  await assert.rejects(all, /a fault/);
  // An unhandled rejection would fail the test.
  for await (const _ of readPages(readPage)) break;
});
