import assert from "node:assert/strict";
import { test } from "node:test";
import { abortable, withDeadline, withTimeLimit } from "../../src/resilience/deadline.ts";
import { FakeClock } from "../../src/testing/fake-clock.ts";

const never = async () => await new Promise<never>(() => {});

test("withDeadline abandons work that ignores its signal, and the error names the work and the time", async () => {
  const clock = new FakeClock();
  let given: AbortSignal | undefined;
  const work = withDeadline(clock, "the key set", 5000, async (signal) => {
    given = signal;
    return await never();
  });
  const refused = assert.rejects(work, { code: "timeout", message: "the key set took longer than 5000 ms" });
  await clock.advance(4999);
  assert.equal(given?.aborted, false);
  await clock.advance(1);
  await refused;
  assert.equal(given?.aborted, true);
});

test("work that settles in time leaves no timer behind, whether it resolves or rejects", async () => {
  const clock = new FakeClock();
  assert.equal(await withDeadline(clock, "it", 100, async () => await Promise.resolve(7)), 7);
  const boom = new Error("boom");
  await assert.rejects(
    withDeadline(clock, "it", 100, async () => await Promise.reject(boom)),
    boom,
  );
  assert.equal(clock.pending, 0);
});

test("withTimeLimit settles as its promise does, and rejects after the time", async () => {
  const clock = new FakeClock();
  assert.equal(await withTimeLimit(clock, "it", 100, Promise.resolve(7)), 7);
  const boom = new Error("boom");
  await assert.rejects(withTimeLimit(clock, "it", 100, Promise.reject(boom)), boom);
  assert.equal(clock.pending, 0);
  const refused = assert.rejects(withTimeLimit(clock, "the body", 100, never()), {
    code: "timeout",
    message: "the body took longer than 100 ms",
  });
  await clock.advance(100);
  await refused;
});

test("the caller's own signal ends the wait with the caller's own reason", async () => {
  const clock = new FakeClock();
  const controller = new AbortController();
  const work = withDeadline(clock, "it", 100, never, controller.signal);
  const reason = new Error("gone");
  controller.abort(reason);
  await assert.rejects(work, reason);
  assert.equal(clock.pending, 0);
});

test("law 7: a caller that abandons joined work does not stop the work", async () => {
  let settle: (value: number) => void = () => {};
  const shared = new Promise<number>((resolve) => (settle = resolve));
  const controller = new AbortController();
  const impatient = abortable(shared, controller.signal);
  const patient = abortable(shared, new AbortController().signal);
  const reason = new Error("gone");
  controller.abort(reason);
  await assert.rejects(impatient, reason);
  settle(7);
  assert.equal(await patient, 7);
  assert.equal(await abortable(shared, undefined), 7);
  await assert.rejects(abortable(shared, controller.signal), reason);
});

test("work that fails after its caller has given up causes no unhandled rejection", async () => {
  const controller = new AbortController();
  const reason = new Error("gone");
  controller.abort(reason);
  const failing = Promise.reject(new Error("boom"));
  await assert.rejects(abortable(failing, controller.signal), reason);
  await new Promise((resolve) => setImmediate(resolve));
});

/** The event loop reads the network only after it has run the timers that are due. */
async function arrived<T>(value: T): Promise<T> {
  return await new Promise<T>((resolve) => setImmediate(() => resolve(value)));
}

for (const [begun, blockedMs] of [
  [0, 2000],
  [0, 5000],
  [0, 1960],
  [1000, 2000],
  [1960, 2000],
  [1990, 500],
] as const) {
  test(`fault 39: an answer that arrives while the loop is blocked for ${blockedMs} ms, after ${begun} of 2,000 ms, is not a timeout`, async () => {
    const clock = new FakeClock();
    let read = () => {};
    const work = withDeadline(clock, "it", 2000, async () => {
      await new Promise<void>((resolve) => (read = resolve));
      return "answer";
    });
    await clock.advance(begun);
    const blocked = clock.block(blockedMs);
    await arrived(null);
    read();
    await blocked;
    assert.equal(await work, "answer");
    assert.equal(clock.pending, 0);
  });
}

test("fault 39: after a blocked loop, work that does not settle is abandoned within the same time again", async () => {
  const clock = new FakeClock();
  const refused = assert.rejects(withDeadline(clock, "it", 2000, never), { code: "timeout" });
  await clock.block(60_000);
  await clock.advance(1999);
  assert.equal(clock.pending, 1);
  await clock.block(60_000);
  await refused;
  assert.equal(clock.pending, 0);
});

for (const [blockedMs, extendedMs] of [
  [2_200, 250],
  [60_000, 2_000],
] as const) {
  test(`fault 39: a loop that is blocked for ${blockedMs} ms extends a wait of 2,000 ms by ${extendedMs} ms`, async () => {
    const clock = new FakeClock();
    const refused = assert.rejects(withDeadline(clock, "it", 2000, never), { code: "timeout" });
    await clock.block(blockedMs);
    await clock.advance(extendedMs - 1);
    assert.equal(clock.pending, 1);
    await clock.advance(1);
    assert.equal(clock.pending, 0);
    await refused;
  });
}

test("a deadline of 1 ms expires", async () => {
  const clock = new FakeClock();
  const refused = assert.rejects(withDeadline(clock, "it", 1, never), { code: "timeout" });
  await clock.advance(2);
  await refused;
});
