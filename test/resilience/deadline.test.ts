import assert from "node:assert/strict";
import { test } from "node:test";
import { abandonable, withDeadline } from "../../src/resilience/deadline.ts";
import { FakeClock } from "../../src/testing/fake-clock.ts";

const never = async () => await new Promise<never>(() => {});

test("work that ignores its signal is given up at the deadline, and the error names the work and the time", async () => {
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

test("work that lands in time leaves no timer behind, whether it lands well or badly", async () => {
  const clock = new FakeClock();
  assert.equal(await withDeadline(clock, "it", 100, async () => await Promise.resolve(7)), 7);
  const boom = new Error("boom");
  await assert.rejects(
    withDeadline(clock, "it", 100, async () => await Promise.reject(boom)),
    boom,
  );
  assert.equal(clock.pending, 0);
});

test("a caller's own signal ends the wait with the caller's own reason", async () => {
  const clock = new FakeClock();
  const controller = new AbortController();
  const work = withDeadline(clock, "it", 100, never, controller.signal);
  const reason = new Error("gone");
  controller.abort(reason);
  await assert.rejects(work, reason);
  assert.equal(clock.pending, 0);
});

test("law 7: a caller that abandons joined work leaves the work itself alone", async () => {
  let land: (value: number) => void = () => {};
  const shared = new Promise<number>((resolve) => (land = resolve));
  const controller = new AbortController();
  const impatient = abandonable(shared, controller.signal);
  const patient = abandonable(shared, new AbortController().signal);
  const reason = new Error("gone");
  controller.abort(reason);
  await assert.rejects(impatient, reason);
  land(7);
  assert.equal(await patient, 7);
  assert.equal(await abandonable(shared, undefined), 7);
  await assert.rejects(abandonable(shared, controller.signal), reason);
});
