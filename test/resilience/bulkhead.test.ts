import assert from "node:assert/strict";
import { test } from "node:test";
import { Bulkhead } from "../../src/resilience/bulkhead.ts";

test("a pool runs its limit at once, lets its line wait in order, and refuses the excess at once", async () => {
  const pool = new Bulkhead("hashing", { running: 2, waiting: 2 });
  const finish: (() => void)[] = [];
  const started: number[] = [];
  const work = async (n: number) =>
    await pool.run(async () => {
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

test("work that fails gives its place back", async () => {
  const pool = new Bulkhead("hashing", { running: 1, waiting: 0 });
  const boom = new Error("boom");
  await assert.rejects(
    pool.run(async () => await Promise.reject(boom)),
    boom,
  );
  assert.equal(await pool.run(async () => await Promise.resolve(7)), 7);
});
