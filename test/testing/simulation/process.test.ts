import assert from "node:assert/strict";
import { test } from "node:test";
import { World } from "../../../src/testing/simulation/world.ts";

test("a crash loses every timer, promise and request of a process, and its disk survives", async () => {
  const world = new World({ seed: 1 });
  const start = world.now;
  const database = world.process("database", ({ listen, sleep }) => {
    listen("database.example", async () => {
      await sleep(400);
      return new Response("late");
    });
  });
  const worker = world.process("worker", async ({ life, sleep, gate, fetch, disk, clock }) => {
    disk.set("life", String(life));
    clock.after(500, () => world.record(`timer of life ${life}`));
    void fetch("http://database.example/").then(() => world.record(`answer of life ${life}`));
    void gate(world.sleep(450)).then(() => world.record(`gate of life ${life}`));
    await sleep(600);
    world.record(`end of life ${life}`);
  });
  world.after(300, () => worker.crash());
  world.after(1_000, () => worker.start());
  await world.run(3_000);
  assert.deepEqual(world.history.map(({ kind }) => kind).toSorted(), [
    "answer of life 2",
    "end of life 2",
    "gate of life 2",
    "timer of life 2",
  ]);
  assert.deepEqual(
    [world.history.at(-1)?.kind, (world.history.at(-1)?.at ?? 0) - start],
    ["end of life 2", 1_600],
  );
  assert.equal(worker.disk.get("life"), "2");
  assert.deepEqual([worker.isAlive, worker.life, database.life], [true, 2, 1]);
});

test("a frozen process does everything late and in order, and a suspended machine also stops its monotonic clock", async () => {
  const world = new World({ seed: 1 });
  const start = world.now;
  const tick = (name: string) => {
    const machine = world.process(name, async ({ clock, sleep }) => {
      for (let number = 0; number < 4; number++) {
        await sleep(1_000);
        world.record(name, { monotonic: clock.monotonic(), wall: clock.now() - start });
      }
    });
    return machine;
  };
  const frozen = tick("frozen");
  const suspended = tick("suspended");
  world.after(1_500, () => frozen.freeze(5_000));
  world.after(1_500, () => suspended.suspend(5_000));
  await world.run(20_000);
  const times = (name: string) =>
    world.history
      .filter(({ kind }) => kind === name)
      .map(({ at, data }) => [at - start, data["monotonic"], data["wall"]]);
  assert.deepEqual(times("frozen"), [
    [1_000, 1_000, 1_000],
    [6_500, 6_500, 6_500],
    [7_500, 7_500, 7_500],
    [8_500, 8_500, 8_500],
  ]);
  assert.deepEqual(times("suspended"), [
    [1_000, 1_000, 1_000],
    [7_000, 2_000, 7_000],
    [8_000, 3_000, 8_000],
    [9_000, 4_000, 9_000],
  ]);
});

test("what was due in a freeze happens in its order, also when another freeze makes it longer", async () => {
  const world = new World({ seed: 1 });
  const machine = world.process("machine", ({ clock }) => {
    for (const ms of [2_700, 2_000]) clock.after(ms, () => world.record("timer", { ms }));
  });
  world.after(1_000, () => machine.freeze(2_000));
  world.after(2_500, () => machine.freeze(5_000));
  await world.run(20_000);
  const timers = world.history.filter(({ kind }) => kind === "timer");
  assert.deepEqual(
    timers.map(({ data }) => data["ms"]),
    [2_000, 2_700],
  );
});

test("a step moves only the wall clock, and a drift moves both clocks and the timers", async () => {
  const world = new World({ seed: 1 });
  const start = world.now;
  const machine = world.process("machine", async ({ clock, sleep }) => {
    for (let number = 0; number < 3; number++) {
      await sleep(1_000);
      world.record("tick", { wall: clock.now() - start, monotonic: clock.monotonic() });
    }
  });
  world.after(500, () => machine.stepClock(-10_000));
  world.after(1_000, () => machine.setClockRate(2));
  await world.run(5_000);
  assert.deepEqual(
    world.history.map(({ at, data }) => [at - start, data["wall"], data["monotonic"]]),
    [
      [1_000, -9_000, 1_000],
      [1_500, -8_000, 2_000],
      [2_000, -7_000, 3_000],
    ],
  );
  assert.equal(machine.clockErrorMs, -10_000 + 4_000);
});
