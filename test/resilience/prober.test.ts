import assert from "node:assert/strict";
import { test } from "node:test";
import { Prober } from "../../src/resilience/prober.ts";
import { FakeClock } from "../../src/testing/index.ts";

/** A prober whose next probe is due after `dueInMs.value`, and whose probes end when `end` is called. */
function createProber() {
  const clock = new FakeClock();
  const dueInMs: { value: number | null } = { value: 1_000 };
  const ends: (() => void)[] = [];
  const prober = new Prober({
    clock,
    nextProbeInMs: () => dueInMs.value,
    probe: async () => await new Promise<void>((end) => ends.push(end)),
  });
  const end = async () => {
    ends.at(-1)?.();
    await clock.advance(0);
  };
  return { clock, dueInMs, prober, end, probes: () => ends.length };
}

test("a probe runs when it is due, and the next one is planned after its end", async () => {
  const { clock, dueInMs, prober, end, probes } = createProber();
  prober.schedule();
  await clock.advance(999);
  assert.equal(probes(), 0);
  dueInMs.value = 0;
  await clock.advance(1);
  assert.equal(probes(), 1);
  dueInMs.value = 500;
  await end();
  await clock.advance(499);
  assert.equal(probes(), 1);
  dueInMs.value = 0;
  await clock.advance(1);
  assert.equal(probes(), 2);
  dueInMs.value = null;
  await end();
  assert.equal(clock.pending, 0, "no probe is needed");
});

test("one probe runs at a time, and a later plan replaces an earlier one", async () => {
  const { clock, dueInMs, prober, end, probes } = createProber();
  prober.schedule();
  dueInMs.value = 5_000;
  prober.schedule();
  assert.equal(clock.pending, 1);
  dueInMs.value = 0;
  await clock.advance(4_999);
  assert.equal(probes(), 0);
  prober.schedule();
  prober.schedule();
  await clock.advance(10_000);
  assert.equal(probes(), 1);
  dueInMs.value = null;
  await end();
  dueInMs.value = 1_000;
  prober.schedule();
  prober.close();
  assert.equal(clock.pending, 0);
});
