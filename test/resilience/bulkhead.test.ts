import assert from "node:assert/strict";
import { test } from "node:test";
import { Bulkhead } from "../../src/resilience/bulkhead.ts";

test("a bulkhead runs tasks up to its limit, queues the next ones in order and rejects the excess at once", async () => {
  const bulkhead = new Bulkhead("hashing", { running: 2, waiting: 2 });
  const finish: (() => void)[] = [];
  const started: number[] = [];
  const work = async (n: number) =>
    await bulkhead.run(async () => {
      started.push(n);
      await new Promise<void>((resolve) => finish.push(resolve));
      return n;
    });
  const results = [1, 2, 3, 4].map(work);
  assert.deepEqual(started, [1, 2]);
  await assert.rejects(work(5), { code: "overloaded", message: /hashing/ });
  for (let i = 0; i < 4; i++) {
    finish[i]?.();
    await results[i];
    await Promise.resolve();
  }
  assert.deepEqual(await Promise.all(results), [1, 2, 3, 4]);
  assert.deepEqual(started, [1, 2, 3, 4]);
});

test("a task that fails frees its place", async () => {
  const bulkhead = new Bulkhead("hashing", { running: 1, waiting: 0 });
  const boom = new Error("boom");
  await assert.rejects(
    bulkhead.run(async () => await Promise.reject(boom)),
    boom,
  );
  assert.equal(await bulkhead.run(async () => await Promise.resolve(7)), 7);
});

test("size counts running and waiting tasks, and isFull is true at the sum of both limits", async () => {
  const bulkhead = new Bulkhead("hashing", { running: 1, waiting: 1 });
  const finish: (() => void)[] = [];
  const task = async () => await new Promise<void>((resolve) => finish.push(resolve));
  const results = [bulkhead.run(task)];
  assert.deepEqual([bulkhead.size, bulkhead.isFull], [1, false]);
  results.push(bulkhead.run(task));
  assert.deepEqual([bulkhead.size, bulkhead.isFull], [2, true]);
  finish[0]?.();
  await results[0];
  assert.deepEqual([bulkhead.size, bulkhead.isFull], [1, false]);
  await Promise.resolve();
  finish[1]?.();
  await results[1];
  assert.equal(bulkhead.size, 0);
});
