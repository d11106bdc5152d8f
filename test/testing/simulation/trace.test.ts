import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { findDivergence } from "../../../src/testing/simulation/find-divergence.ts";
import { World } from "../../../src/testing/simulation/world.ts";

/** The world of docs/extend/simulation.md, "When a check fails". */
async function runTracedWorld(): Promise<readonly string[]> {
  const world = new World({ seed: 3, trace: true });
  const server = world.process("server", ({ listen }) => {
    listen("server.example", () => new Response(null, { status: 204 }));
  });
  world.process("client", async ({ fetch, sleep }) => {
    for (;;) {
      const signal = AbortSignal.timeout(1_000);
      const answer = await fetch("http://server.example/", { signal }).catch(() => null);
      world.record("answer", { status: answer?.status ?? 0 });
      await sleep(2_000);
    }
  });
  world.after(1_000, () => server.crash());
  world.after(3_000, () => server.start());
  world.after(4_000, () => void (world.network.conditions.drop = 1));
  await world.run(5_500);
  return world.trace;
}

/** The places of a line, such as ` trace.test.ts:21`. */
const places = / \S+\.[jt]s:\d+.*$/;

test("a trace shows crashes, starts, lost messages, statuses, failures and records, as docs/extend/simulation.md prints it", async () => {
  const trace = await runTracedWorld();
  const docs = readFileSync("docs/extend/simulation.md", "utf8");
  const shown = /```text\n([\d.]+ server start[^`]*)```/.exec(docs)?.[1]?.trimEnd().split("\n") ?? [];
  const plain = (lines: readonly string[]) => lines.map((line) => line.replace(places, ""));
  assert.deepEqual(plain(trace), plain(shown), trace.join("\n"));
});

test("the places of a trace are those of the program, without frames of the package", async () => {
  const trace = await runTracedWorld();
  const found = trace.flatMap((line) => places.exec(line)?.[0].trim().split(" < ") ?? []);
  assert.ok(found.length > 5, trace.join("\n"));
  assert.deepEqual(
    found.filter((place) => !/^trace\.test\.ts:\d+$/.test(place)),
    [],
  );
});

test("two runs of one seed have one trace, whichever lines of the test began them", async () => {
  const first = await runTracedWorld();
  const second = await runTracedWorld();
  assert.equal(findDivergence(first, second), null);
});

test("a trace shows every other fault and an error that nothing caught", async () => {
  const world = new World({ seed: 1, trace: true });
  world.network.conditions.duplicate = 1;
  const worker = world.process("worker", async ({ fetch, listen }) => {
    listen("worker.example", () => new Response("hello"));
    await fetch("http://worker.example/");
    throw new Error("out of luck\nin two lines");
  });
  world.after(1_000, () => {
    worker.freeze(10);
    worker.suspend(20);
    worker.stepClock(-5);
    worker.setClockRate(1.5);
    world.network.cut("*", "worker")();
    worker.crash({ power: true });
  });
  await world.run(2_000);
  const lines = untimed(world);
  for (const line of [
    "worker duplicate GET worker.example/",
    "worker uncaught Error: out of luck",
    "world freeze worker 10 ms",
    "world suspend worker 20 ms",
    "world step clock worker -5 ms",
    "world clock rate worker 1.5",
    "world cut *>worker",
    "world heal *>worker",
    "world crash worker power",
  ])
    assert.ok(lines.includes(line), `${line}\n${lines.join("\n")}`);
});

/** The lines of a trace without times. */
function untimed(world: World): string[] {
  return world.trace.map((line) => line.replace(/^[\d.]+ /, ""));
}
