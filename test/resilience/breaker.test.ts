import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Breaker, type Permit } from "../../src/resilience/breaker.ts";
import { FakeClock } from "../../src/testing/index.ts";
import { seededRandom } from "../../src/testing/random.ts";

/** The longest time that the breaker stays open between two probes. */
const LONGEST_MS = 10_000;

function make(random: () => number = () => 1) {
  const clock = new FakeClock();
  const changes: string[] = [];
  const breaker = new Breaker({ clock, random, onChange: (change) => changes.push(change) });
  const fail = (times: number, everyMs: number) => failing(breaker, clock, times, everyMs);
  return { clock, changes, breaker, fail };
}

async function failing(breaker: Breaker, clock: FakeClock, times: number, everyMs: number): Promise<void> {
  for (let i = 0; i < times; i++) {
    const pass = breaker.admit();
    assert.ok(pass !== null);
    await clock.advance(everyMs);
    breaker.settle(pass, false);
  }
}

async function probe(breaker: Breaker, clock: FakeClock, succeeds: boolean): Promise<number> {
  const waitedMs = breaker.retryAfterMs;
  await clock.advance(waitedMs);
  const pass = breaker.admitProbe();
  assert.ok(pass !== null);
  breaker.settle(pass, succeeds);
  return waitedMs;
}

test("the breaker opens at the fifth failure in a row when the first of them began at least a second ago", async () => {
  const { breaker, changes, fail } = make();
  await fail(4, 300);
  assert.equal(breaker.state, "closed");
  await fail(1, 300);
  assert.equal(breaker.state, "open");
  assert.equal(breaker.admit(), null);
  assert.deepEqual(changes, ["opened"]);
});

test("any number of failures within a second leaves the breaker closed, and the next one after that opens it", async () => {
  const { breaker, fail } = make();
  await fail(90, 10);
  assert.equal(breaker.state, "closed");
  await fail(1, 200);
  assert.equal(breaker.state, "open");
});

test("two failed probes in a row open the breaker without user traffic", async () => {
  const { breaker, clock } = make();
  await probe(breaker, clock, false);
  await probe(breaker, clock, true);
  await probe(breaker, clock, false);
  assert.equal(breaker.state, "closed");
  await probe(breaker, clock, false);
  assert.equal(breaker.state, "open");
});

test("fault 22: an upstream that fails half of the time, at once or by timeout, never opens the breaker", async () => {
  for (const failsAfterMs of [1, 2000]) {
    const { breaker, clock, changes } = make();
    const random = seededRandom(7);
    for (let i = 0; i < 20_000; i++) {
      const pass = breaker.admit();
      assert.ok(pass !== null);
      const succeeds = random() < 0.5;
      clock.after(succeeds ? 1 : failsAfterMs, () => breaker.settle(pass, succeeds));
      if (i % 20 === 0) await clock.advance(100);
    }
    await clock.advance(100);
    assert.deepEqual(changes, []);
  }
});

test("a late failure of a request from before the breaker closed does not open it again", async () => {
  const { breaker, clock, fail } = make(() => 0);
  const old = Array.from({ length: 50 }, () => breaker.admit() as Permit);
  await fail(5, 300);
  await probe(breaker, clock, true);
  await clock.advance(1500);
  for (const pass of old) breaker.settle(pass, false);
  assert.equal(breaker.state, "closed");
});

test("fault 24: probes back off up to 10 s while they fail, and 60 s closed reset the back-off", async () => {
  const { breaker, clock, fail } = make();
  await fail(5, 300);
  const waits: number[] = [];
  for (let i = 0; i < 7; i++) waits.push(await probe(breaker, clock, false));
  assert.deepEqual(waits, [1000, 2000, 4000, 8000, 10_000, 10_000, 10_000]);
  await probe(breaker, clock, true);
  await clock.advance(50_000);
  await fail(5, 300);
  assert.equal(breaker.retryAfterMs, LONGEST_MS);
  await probe(breaker, clock, true);
  await clock.advance(60_000);
  await fail(5, 300);
  assert.equal(breaker.retryAfterMs, 1000);
});

test("fault 23: a half-open breaker counts only the outcome of its probe, not that of an earlier request", async () => {
  for (const succeeded of [true, false]) {
    const { breaker, clock, fail } = make();
    const old = breaker.admit() as Permit;
    await fail(5, 300);
    await clock.advance(1000);
    assert.ok(breaker.admitProbe() !== null);
    breaker.settle(old, succeeded);
    assert.equal(breaker.state, "half-open");
  }
});

test("jitter spreads the open time over its upper half, so that instances do not probe together", async () => {
  const { breaker, fail } = make(() => 0);
  await fail(5, 300);
  assert.equal(breaker.retryAfterMs, 500);
});

test("fault 23: after the open time the breaker admits one probe, and no user until the probe has succeeded", async () => {
  const { breaker, clock, changes, fail } = make();
  await fail(5, 300);
  assert.equal(breaker.admitProbe(), null);
  await clock.advance(1000);
  assert.equal(breaker.admit(), null);
  const pass = breaker.admitProbe();
  assert.ok(pass !== null);
  assert.equal(breaker.state, "half-open");
  assert.deepEqual([breaker.admit(), breaker.admitProbe()], [null, null]);
  breaker.settle(pass, true);
  assert.ok(breaker.admit() !== null);
  assert.deepEqual(changes, ["opened", "closed"]);
});

test("fault 34: a clock set back by an hour or a suspended machine does not prolong the open time", async () => {
  const { breaker, clock, fail } = make();
  await fail(5, 300);
  clock.setWall(clock.now() - 3_600_000);
  await clock.advance(1000);
  assert.equal(breaker.retryAfterMs, 0);
  await probe(breaker, clock, false);
  clock.suspend(2000);
  assert.equal(breaker.retryAfterMs, 0);
});

test("a breaker that is forced open admits no request, one that is forced closed admits all, and a released one counts anew", async () => {
  const { breaker, clock, changes, fail } = make();
  breaker.force("open");
  assert.deepEqual([breaker.state, breaker.admit(), breaker.admitProbe()], ["forced open", null, null]);
  await clock.advance(3_600_000);
  assert.equal(breaker.state, "forced open");
  breaker.force("closed");
  await fail(100, 300);
  assert.equal(breaker.state, "forced closed");
  breaker.force(null);
  assert.equal(breaker.state, "closed");
  await fail(5, 300);
  breaker.force(null);
  assert.equal(breaker.state, "open");
  assert.deepEqual(changes, ["opened", "closed", "opened"]);
});

/** A probe that is not settled earlier ends at its deadline. */
const PROBE_MS = 2_000;
const steps = fc.array(
  fc.oneof(
    { weight: 4, arbitrary: fc.record({ do: fc.constant("ask" as const) }) },
    {
      weight: 4,
      arbitrary: fc.record({ do: fc.constant("settle" as const), which: fc.nat(20), ok: fc.boolean() }),
    },
    {
      weight: 3,
      arbitrary: fc.record({ do: fc.constant("probe" as const), ok: fc.boolean(), ms: fc.nat(3_000) }),
    },
    { weight: 3, arbitrary: fc.record({ do: fc.constant("advance" as const), ms: fc.nat(40_000) }) },
    {
      weight: 1,
      arbitrary: fc.record({ do: fc.constant("setWall" as const), ms: fc.integer({ min: -1e7, max: 1e7 }) }),
    },
    { weight: 1, arbitrary: fc.record({ do: fc.constant("suspend" as const), ms: fc.nat(100_000) }) },
    {
      weight: 1,
      arbitrary: fc.record({
        do: fc.constant("force" as const),
        to: fc.constantFrom("open", "closed", null),
      }),
    },
  ),
  { maxLength: 200 },
);

test("faults 23 and 24: in any sequence of events the breaker recovers, runs one probe at a time and admits users only while closed", async () => {
  await fc.assert(
    fc.asyncProperty(steps, fc.integer(), async (actions, seed) => {
      const { breaker, clock } = make(seededRandom(seed));
      const asked: Permit[] = [];
      let probing = 0;
      const check = () => {
        assert.ok(probing <= 1);
        if (breaker.state === "half-open") assert.equal(probing, 1);
      };
      const goProbe = (ok: boolean, ms: number) => {
        if (probing > 0) return;
        const pass = breaker.admitProbe();
        if (pass === null) return;
        probing++;
        clock.after(Math.min(ms, PROBE_MS), () => {
          probing--;
          breaker.settle(pass, ok);
          check();
        });
      };
      for (const action of actions) {
        if (action.do === "ask") {
          const { state } = breaker;
          const pass = breaker.admit();
          assert.equal(pass !== null, state === "closed" || state === "forced closed");
          if (pass !== null) asked.push(pass);
        } else if (action.do === "settle") {
          const [pass] = asked.splice(action.which, 1);
          if (pass !== undefined) breaker.settle(pass, action.ok);
        } else if (action.do === "probe") goProbe(action.ok, action.ms);
        else if (action.do === "advance") await clock.advance(action.ms);
        else if (action.do === "setWall") clock.setWall(clock.now() + action.ms);
        else if (action.do === "suspend") clock.suspend(action.ms);
        else breaker.force(action.to);
        check();
      }
      // When the upstream is healthy again, the longest open time and one probe close the breaker.
      breaker.force(null);
      await clock.advance(PROBE_MS);
      await clock.advance(LONGEST_MS);
      goProbe(true, PROBE_MS);
      await clock.advance(PROBE_MS);
      assert.equal(breaker.state, "closed");
    }),
    { numRuns: 300 },
  );
});
