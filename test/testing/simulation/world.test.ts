import assert from "node:assert/strict";
import { randomBytes, randomFillSync, randomInt, randomUUID } from "node:crypto";
import { once } from "node:events";
import { test } from "node:test";
import {
  scheduler,
  setImmediate as immediate,
  setInterval as repeat,
  setTimeout as pause,
} from "node:timers/promises";
import { findDivergence } from "../../../src/testing/simulation/find-divergence.ts";
import { systemEntropy } from "../../../src/core/entropy.ts";
import { World } from "../../../src/testing/simulation/world.ts";

/** Two chatty processes and a third that crashes and restarts at random. */
async function runBusyWorld(seed: number): Promise<World> {
  const world = new World({ seed, trace: true });
  world.network.conditions.drop = 0.05;
  world.network.conditions.duplicate = 0.05;
  world.process("server", ({ listen, random, sleep }) => {
    listen("server.example", async (request) => {
      await sleep(random() * 50);
      return Response.json({ id: randomUUID(), path: new URL(request.url).pathname });
    });
  });
  world.process("client", async ({ fetch, sleep }) => {
    for (let number = 0; ; number++) {
      const answer = await Promise.race([
        fetch(`http://server.example/${number}`).then(
          async (response) => await response.json(),
          (error: Error) => error.message,
        ),
        pause(500, "late"),
      ]);
      world.record("answer", { answer, chance: Math.random() });
      await sleep(200);
    }
  });
  const crashing = world.process("crashing", async ({ sleep, disk }) => {
    disk.set("starts", String(Number(disk.get("starts") ?? 0) + 1));
    for (;;) await sleep(10);
  });
  const crash = () => {
    crashing.crash();
    world.after(1_000 * world.random(), () => crashing.start());
    world.after(5_000 * world.random(), crash);
  };
  crash();
  await world.run(60_000);
  return world;
}

test("two runs of one seed take the same steps, and those of two seeds do not", async () => {
  for (const seed of [1, 2]) {
    const [first, second] = [await runBusyWorld(seed), await runBusyWorld(seed)];
    assert.equal(findDivergence(first.trace, second.trace), null);
    assert.equal(first.hash, second.hash);
    assert.deepEqual(first.history, second.history);
    assert.ok(first.history.length > 100, "the client got answers");
  }
  assert.notEqual((await runBusyWorld(1)).hash, (await runBusyWorld(2)).hash);
});

test("the comparison of two traces names the first step that differs, and where it was planned", async () => {
  const trace = async (extra: boolean) => {
    const world = new World({ seed: 1, trace: true });
    world.process("worker", async ({ sleep }) => {
      await sleep(100);
      if (extra) await sleep(7);
      await sleep(100);
    });
    await world.run(1_000);
    return world.trace;
  };
  const divergence = findDivergence(await trace(false), await trace(true));
  assert.equal(divergence?.step, 2);
  assert.match(divergence.first ?? "", /^200\.000 worker timer .*world\.test\.ts:\d+/);
  assert.match(divergence.second ?? "", /^107\.000 worker timer /);
  assert.equal(divergence.before.length, 2);
});

test("events of one moment happen in the order in which they were planned", async () => {
  const world = new World({ seed: 1 });
  const order: number[] = [];
  for (let number = 0; number < 100; number++) world.after(10 * ((number * 7) % 5), () => order.push(number));
  await world.run(100);
  const expected = Array.from({ length: 100 }, (_, number) => number).toSorted(
    (a, b) => ((a * 7) % 5) - ((b * 7) % 5) || a - b,
  );
  assert.deepEqual(order, expected);
});

test("a program that uses the timers, dates and random numbers of the platform gets those of its machine", async () => {
  const world = new World({ seed: 1, startAt: Date.UTC(2031, 0, 1) });
  const machine = world.process("worker", async () => {
    for (let number = 0; number < 3; number++) {
      const before = performance.now();
      await new Promise((resolve) => setTimeout(resolve, 1_000));
      await new Promise((resolve) => void setImmediate(resolve));
      await pause(1_000);
      world.record("tick", {
        date: new Date().toISOString(),
        ms: performance.now() - before,
        isDate: new Date() instanceof Date,
        random: Math.random(),
        bytes: randomBytes(4).toString("hex"),
      });
    }
    const signal = AbortSignal.timeout(500);
    signal.addEventListener("abort", () => world.record("timeout", { name: (signal.reason as Error).name }));
  });
  machine.stepClock(3_600_000);
  await world.run(10_000);
  const ticks = world.history.filter(({ kind }) => kind === "tick");
  assert.deepEqual(
    ticks.map(({ data }) => [data["date"], data["ms"], data["isDate"]]),
    [2, 4, 6].map((second) => [`2031-01-01T01:00:0${second}.000Z`, 2_000, true]),
  );
  assert.equal(new Set(ticks.map(({ data }) => data["bytes"])).size, 3);
  assert.deepEqual(world.history.at(-1)?.data, { name: "TimeoutError" });
  assert.equal(world.history.at(-1)?.at, world.now - 3_500);
  assert.ok(Math.abs(Date.now() - world.now) > 86_400_000, "the platform has its own clock again");
  assert.notEqual(randomUUID(), randomUUID());
});

test("an interval of the platform repeats until it is cleared", async () => {
  const world = new World({ seed: 1 });
  world.process("worker", () => {
    let ticks = 0;
    const interval = setInterval(() => {
      world.record("tick");
      if (++ticks === 3) clearInterval(interval);
    }, 100);
    clearTimeout(setTimeout(() => world.record("cleared"), 10));
  });
  await world.run(1_000);
  assert.deepEqual(
    world.history.map(({ kind, at }) => [kind, at - (world.now - 1_000)]),
    [100, 200, 300].map((ms) => ["tick", ms]),
  );
});

test("an error that no program catches is recorded with its process, and the world goes on", async () => {
  const world = new World({ seed: 1 });
  world.process("thrower", async ({ sleep }) => {
    await sleep(10);
    throw new Error("out of luck");
  });
  world.process("timer", ({ clock }) => {
    clock.after(20, () => {
      throw new Error("thrown in a timer");
    });
  });
  await world.run(100);
  assert.deepEqual(
    world.history.map(({ process, kind }) => [process, kind]),
    [
      ["thrower", "uncaught"],
      ["timer", "uncaught"],
    ],
  );
  assert.match(String(world.history[0]?.data["error"]), /out of luck/);
});

test("rejects options, a second process of one name, and a world that runs inside another", async () => {
  assert.throws(() => new World({ seed: 1.5 }), { code: "invalid_option" });
  assert.throws(() => new World({ seed: 1, typo: true } as never), { code: "invalid_option" });
  const world = new World({ seed: 1 });
  world.process("worker", () => undefined);
  assert.throws(() => world.process("worker", () => undefined), /already has a process "worker"/);
  world.after(10, () => {
    void new World({ seed: 2 })
      .run(1)
      .catch((error: Error) => world.record("refused", { why: error.message }));
  });
  await world.run(100);
  assert.deepEqual(world.history.at(-1)?.data, { why: "another world runs: worlds run one after the other" });
});

test("a program that takes no entropy gets bytes of the seed, and what follows the run gets none of them", async () => {
  const draw = async () => {
    const world = new World({ seed: 7 });
    world.process("worker", () => {
      const filled = randomFillSync(Buffer.alloc(8), 4, 2);
      const bytes = systemEntropy.bytes(16).toString("hex");
      world.record("drawn", {
        bytes,
        uuid: systemEntropy.uuid(),
        number: randomInt(1000),
        filled: filled.toString("hex"),
      });
    });
    await world.run(1000);
    return { drawn: world.history[0]?.data, after: systemEntropy.bytes(16).toString("hex") };
  };
  systemEntropy.bytes(16);
  const [first, second] = [await draw(), await draw()];
  assert.ok(first.drawn);
  assert.deepEqual(first.drawn, second.drawn);
  assert.match(String(first.drawn["filled"]), /^0{8}.{4}0{4}$/, "only the named bytes are filled");
  assert.notEqual(first.after, second.after);
});

test("a program ends a timer that began before the run", async () => {
  const stopped = new EventTarget();
  const timer = setTimeout(() => stopped.dispatchEvent(new Event("fired")), 1);
  const world = new World({ seed: 1 });
  world.process("worker", () => clearTimeout(timer));
  await world.run(1000);
  const later = once(stopped, "fired", { signal: AbortSignal.timeout(50) });
  await assert.rejects(later, { name: "AbortError" });
});

test("a rejected promise and a throw in a microtask or a listener are recorded with their process", async () => {
  const world = new World({ seed: 1 });
  world.process("promise", ({ clock }) => {
    clock.after(1, () => void Promise.reject(new Error("rejected")));
  });
  world.process("microtask", ({ clock }) => {
    clock.after(2, () =>
      queueMicrotask(() => {
        throw new Error("thrown in a microtask");
      }),
    );
  });
  world.process("listener", ({ clock }) => {
    const target = new EventTarget();
    target.addEventListener("event", () => {
      throw new Error("thrown in a listener");
    });
    clock.after(100, () => target.dispatchEvent(new Event("event")));
  });
  const events = ["unhandledRejection", "uncaughtException"];
  const listeners = () => events.map((event) => process.rawListeners(event as "exit"));
  const before = listeners();
  await world.run(100);
  assert.deepEqual(listeners(), before);
  assert.deepEqual(
    world.history.map(({ process, kind }) => [process, kind]),
    [
      ["promise", "uncaught"],
      ["microtask", "uncaught"],
      ["listener", "uncaught"],
    ],
  );
  await new World({ seed: 1 }).run(1);
});

test("a run that cannot replace the platform restores what it replaced, and the next run works", async () => {
  const real = { Date, setTimeout, descriptor: Object.getOwnPropertyDescriptor(globalThis, "performance") };
  assert.ok(real.descriptor);
  const frozen = Object.freeze({ now: () => 0 });
  Object.defineProperty(globalThis, "performance", { value: frozen, configurable: true });
  try {
    await assert.rejects(new World({ seed: 1 }).run(1), TypeError);
  } finally {
    Object.defineProperty(globalThis, "performance", real.descriptor);
  }
  assert.equal(Date, real.Date);
  assert.equal(setTimeout, real.setTimeout);
  assert.ok(Math.abs(Date.now() - performance.timeOrigin) < 3_600_000, "the date is that of the platform");
  await new World({ seed: 1 }).run(1);
});

test("Date without new, and every timer of timers/promises, follow the world", async () => {
  const world = new World({ seed: 1 });
  world.process("worker", async ({ clock }) => {
    const date = Reflect.apply(Date, undefined, []);
    world.record("date", { date: new Date(date).getTime() - clock.now() });
    assert.equal(new Date().constructor, Date);
    const start = clock.now();
    let ticks = 0;
    for await (const value of repeat(50, "tick")) {
      // The third tick comes while the loop is busy.
      if (ticks === 0) await pause(125);
      world.record(value, { ms: clock.now() - start });
      if (++ticks === 3) break;
    }
    await immediate();
    await scheduler.yield();
    await scheduler.wait(10);
    world.record("end", { ms: clock.now() - start });
    const pausing = pause(1_000, null, { signal: AbortSignal.timeout(5) });
    await pausing.catch(({ name, cause }: Error) =>
      world.record("aborted", { name, cause: (cause as Error).name }),
    );
    const stopped = async () => {
      for await (const _ of repeat(50, null, { signal: AbortSignal.timeout(5) })) world.record("late");
    };
    await assert.rejects(stopped(), { name: "AbortError", code: "ABORT_ERR" });
  });
  await world.run(1_000);
  assert.deepEqual(
    world.history.map(({ kind, data }) => [kind, ...Object.values(data)]),
    [
      ["date", 0],
      ["tick", 175],
      ["tick", 175],
      ["tick", 175],
      ["end", 185],
      ["aborted", "AbortError", "TimeoutError"],
    ],
  );
});
