import assert from "node:assert/strict";
import { test } from "node:test";
import { World } from "../../../src/testing/simulation/world.ts";

/** A world of two processes. */
function createWorld() {
  const world = new World({ seed: 1 });
  const api = world.process("api", () => undefined);
  world.process("auth", () => undefined);
  return { world, api, network: world.network, conditions: world.network.conditions };
}

/** A value that TypeScript would refuse. */
function wrong(value: unknown): never {
  return value as never;
}

test("a wrong argument of a world is refused with its name, what it must be and what it got", async () => {
  const { world } = createWorld();
  const duration = "ms must be a finite number of milliseconds, at least 0; got";
  for (const [ms, got] of [
    ["5 min", '"5 min"'],
    [Number.NaN, "NaN"],
    [-1, "-1"],
    [Infinity, "Infinity"],
    [undefined, "undefined"],
  ] as const) {
    const message = (method: string) => ({
      code: "invalid_option",
      message: `${method}: ${duration} ${got}`,
    });
    await assert.rejects(world.run(wrong(ms)), message("run"));
    await assert.rejects(world.sleep(wrong(ms)), message("sleep"));
    assert.throws(() => world.after(wrong(ms), () => undefined), message("after"));
  }
  assert.throws(() => world.after(1, wrong("crash")), {
    message: 'after: fn must be a function; got "crash"',
  });
  assert.throws(
    () => world.process("*", () => undefined),
    /^HoldfastError: process: name must be another text/,
  );
  assert.throws(
    () => world.process("worker", wrong(undefined)),
    /process: program must be a function; got undef/,
  );
  assert.throws(() => world.record(wrong(5)), { message: "record: kind must be a non-empty string; got 5" });
  await world.run(1);
});

test("a wrong fault of a process is refused, and its clocks stay as they are", async () => {
  const { world, api } = createWorld();
  const isRefused = (fn: () => void, message: string) =>
    assert.throws(fn, { code: "invalid_option", message });
  isRefused(
    () => api.stepClock(wrong("1h")),
    'stepClock: ms must be a finite number of milliseconds; got "1h"',
  );
  isRefused(() => api.setClockRate(-1), "setClockRate: rate must be a finite number above 0; got -1");
  isRefused(() => api.setClockRate(0), "setClockRate: rate must be a finite number above 0; got 0");
  const duration = "ms must be a finite number of milliseconds, at least 0; got";
  isRefused(() => api.freeze(wrong(undefined)), `freeze: ${duration} undefined`);
  isRefused(() => api.suspend(wrong("1h")), `suspend: ${duration} "1h"`);
  isRefused(
    () => api.crash(wrong({ powr: true })),
    'crash has no option "powr"; it has power; did you mean power?',
  );
  await world.run(100);
  assert.deepEqual([api.isAlive, api.clockErrorMs, api.monotonicNow()], [true, 0, 100]);
});

test("a cut names processes of the world", () => {
  const { network } = createWorld();
  assert.throws(() => network.cut("nobody", "api"), {
    code: "invalid_option",
    message: 'network.cut: from must be a process of the world (api, auth) or "*"; got "nobody"',
  });
  assert.throws(() => network.cut("api", "ath"), /network\.cut: to must be .*; got "ath"$/);
  assert.throws(() => network.isolate("*"), {
    message: 'network.isolate: name must be a process of the world (api, auth); got "*"',
  });
  for (const heal of [network.cut("*", "auth"), network.cut("api", "*"), network.isolate("api")]) heal();
});

test("a condition of the network that is misspelt or out of range is refused, and nothing changes", () => {
  const { conditions } = createWorld();
  const before = { ...conditions };
  const isRefused = (members: object, message: string) =>
    assert.throws(() => Object.assign(conditions, members), { code: "invalid_option", message });
  const known = "latencyMs, slow, slowMs, drop, duplicate";
  isRefused({ dropp: 1 }, `network.conditions has no "dropp"; it has ${known}; did you mean drop?`);
  isRefused({ drop: 5 }, "network.conditions.drop must be a share from 0 to 1; got 5");
  isRefused({ slow: "0.1" }, 'network.conditions.slow must be a share from 0 to 1; got "0.1"');
  isRefused({ duplicate: Number.NaN }, "network.conditions.duplicate must be a share from 0 to 1; got NaN");
  const range = "must be two finite numbers of milliseconds, the smaller first; got";
  isRefused({ latencyMs: 5 }, `network.conditions.latencyMs ${range} 5`);
  for (const pair of [[1], [2, 1], [-1, 1], [1, "2"], [1, 2, 3]])
    assert.throws(() => Object.assign(conditions, { slowMs: pair }), /slowMs must be two finite numbers/);
  assert.throws(() => Object.defineProperty(conditions, "dropp", { value: 1 }), /has no "dropp"/);
  assert.throws(() => Reflect.deleteProperty(conditions, "drop"), /drop must be a number/);
  assert.throws(() => Object.assign(conditions.latencyMs, { 0: "x" }), TypeError);
  assert.deepEqual({ ...conditions }, before);
  Object.assign(conditions, { drop: 0.5, latencyMs: [1, 1] });
  assert.deepEqual({ ...conditions }, { ...before, drop: 0.5, latencyMs: [1, 1] });
});

test("a host to listen at is refused when the URL of a request would spell it differently", async () => {
  for (const [host, like] of [
    ["http://x.example", "x.example"],
    ["https://x.example:8443/path", "x.example:8443"],
    ["x.example/path", "x.example"],
    ["X.example", "x.example"],
    ["a b", "auth.example"],
  ] as const) {
    const world = new World({ seed: 1 });
    world.process("server", ({ listen }) => listen(host, () => new Response()));
    await world.run(1);
    assert.equal(
      String(world.history[0]?.data["error"]).split("\n")[0],
      `HoldfastError: listen: host must be a host in lower case, without scheme and path, such as "${like}"; got "${host}"`,
    );
  }
  const world = new World({ seed: 1 });
  const hosts = ["x.example", "x.example:80", "x.example:8443", "127.0.0.1:3000", "[::1]", "localhost"];
  world.process("server", ({ listen }) => hosts.forEach((host) => listen(host, () => new Response())));
  await world.run(1);
  assert.deepEqual(world.history, []);
});

test("a program that sleeps for no time, listens without a handler or returns no response is told so", async () => {
  const world = new World({ seed: 1 });
  world.process("sleeper", async ({ sleep }) => await sleep(wrong("1s")));
  world.process("deaf", ({ listen }) => listen("deaf.example", wrong(undefined)));
  world.process("server", ({ listen }) =>
    listen(
      "server.example",
      wrong(() => 5),
    ),
  );
  world.process("client", async ({ fetch }) => {
    const { status } = await fetch("http://server.example/path");
    world.record("answer", { status });
  });
  await world.run(10_000);
  const errors = world.history.map(
    ({ process, data }) => [process, ...Object.values(data)].join(" ").split("\n")[0],
  );
  assert.deepEqual(errors, [
    'sleeper HoldfastError: sleep: ms must be a finite number of milliseconds, at least 0; got "1s"',
    "deaf HoldfastError: listen: handler must be a function; got undefined",
    "server HoldfastError: the result of the handler for GET server.example/path must be a Response; got 5",
    "client 500",
  ]);
});
