import assert from "node:assert/strict";
import { test } from "node:test";
import { SingleFlight } from "../../src/resilience/single-flight.ts";

test("law 7: callers of the same work share one run, and the key is free once it settles", async () => {
  const flights = new SingleFlight<string, number>();
  let runs = 0;
  let settle: (value: number) => void = () => {};
  const work = async () => {
    runs++;
    return await new Promise<number>((resolve) => (settle = resolve));
  };
  const joined = [flights.run("a", work), flights.run("a", work), flights.run("a", work)];
  assert.equal(runs, 1);
  assert.equal(flights.size, 1);
  settle(7);
  assert.deepEqual(await Promise.all(joined), [7, 7, 7]);
  assert.equal(flights.size, 0);
  const again = flights.run("a", work);
  assert.equal(runs, 2);
  settle(8);
  assert.equal(await again, 8);
});

test("work that throws rejects for every caller that joined it, and the key is free again", async () => {
  const flights = new SingleFlight<string, number>();
  const boom = new Error("boom");
  const crash = () => {
    throw boom;
  };
  const joined = [flights.run("a", crash), flights.run("a", crash)];
  for (const one of joined) await assert.rejects(one, boom);
  assert.equal(flights.size, 0);
  assert.equal(await flights.run("a", async () => await Promise.resolve(1)), 1);
});

test("work for different keys runs separately", async () => {
  const flights = new SingleFlight<string, string>();
  const [a, b] = await Promise.all(
    ["a", "b"].map((key) => flights.run(key, async () => await Promise.resolve(key))),
  );
  assert.deepEqual([a, b], ["a", "b"]);
});
