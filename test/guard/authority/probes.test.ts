import assert from "node:assert/strict";
import { test } from "node:test";
import { after, hang, setUpAuthority, no, refused, healthy, status, yes } from "./fixture.ts";

const signal = () => new AbortController().signal;

test("start probes at once with an invented token, and the answer is the first latency sample", async (t) => {
  const setup = setUpAuthority(t);
  setup.answer = after(setup.clock, 150, healthy);
  setup.authority.start();
  await setup.clock.advance(150);
  assert.match(setup.asked[0] ?? "", /^holdfast-probe-[0-9a-v]{24}$/);
  assert.equal(setup.authority.softTimeoutMs, 450);
  await setup.authority.ready(signal(), { attempt: false });
});

test("probes are sent every 10 s (± 20 %) without calls, and none while calls get answers", async (t) => {
  const setup = setUpAuthority(t);
  setup.authority.start();
  await setup.clock.advance(1);
  for (let second = 0; second < 60; second++) await setup.askAndAdvance(1000);
  assert.equal(setup.asked.filter((token) => token.startsWith("holdfast-probe-")).length, 1);
  await setup.clock.advance(600_000);
  const probes = setup.asked.filter((token) => token.startsWith("holdfast-probe-"));
  assert.ok(probes.length >= 50 && probes.length <= 75, `${probes.length} in ten minutes`);
  assert.equal(new Set(probes).size, probes.length);
});

test("two failed probes in a row open the breaker before a call fails", async (t) => {
  const setup = setUpAuthority(t);
  setup.authority.start();
  await setup.clock.advance(1);
  setup.answer = refused;
  await setup.clock.advance(15_000);
  assert.notEqual(setup.authority.status().breaker, "closed");
  assert.deepEqual(setup.events(), ["authority_failed", "breaker_opened"]);
  setup.answer = healthy;
  await setup.clock.advance(30_000);
  assert.equal(setup.authority.status().breaker, "closed");
  assert.equal(setup.authority.failingMs(), null);
});

test("a yes to an invented token counts as a failure", async (t) => {
  const setup = setUpAuthority(t);
  setup.answer = yes;
  setup.authority.start();
  await setup.clock.advance(5000);
  assert.equal(setup.authority.status().lastError, "the authority answered yes to the probe token");
  assert.notEqual(setup.authority.status().breaker, "closed");
});

test("probeToken is called before each probe, its token must get a yes, and no event or status holds it", async (t) => {
  let made = 0;
  const setup = setUpAuthority(t, { probeToken: () => `probe-token-${++made}` });
  setup.answer = yes;
  setup.authority.start();
  await setup.clock.advance(15_000);
  assert.deepEqual(setup.asked, ["probe-token-1", "probe-token-2"]);
  assert.equal(setup.authority.failingMs(), null);
  setup.answer = no;
  await setup.clock.advance(15_000);
  assert.equal(setup.authority.status().lastError, "the authority answered no to the probe token");
  assert.notEqual(setup.authority.status().breaker, "closed");
  assert.ok(!JSON.stringify([setup.messages, setup.authority.status()]).includes("probe-token-"));
});

for (const [what, probeToken] of [
  [
    "throws",
    () => {
      throw new Error("probe-secret");
    },
  ],
  ["rejects", async () => await Promise.reject(new Error("probe-secret"))],
  ["hangs", async () => await new Promise<string>(() => {})],
  ["returns an empty string", () => ""],
] as [string, () => string | Promise<string>][]) {
  test(`a probeToken function that ${what} does not fail the authority: the probe invents a token and one event is emitted`, async (t) => {
    const setup = setUpAuthority(t, { probeToken: probeToken });
    setup.authority.start();
    await setup.clock.advance(30_000);
    assert.ok(setup.asked.length >= 2 && setup.asked.every((token) => token.startsWith("holdfast-probe-")));
    assert.equal(setup.authority.status().breaker, "closed");
    assert.deepEqual(setup.events(), ["authority_misconfigured"]);
    assert.ok(!setup.messages.join().includes("probe-secret"));
  });
}

test("ready resolves after an answer, with `attempt` also after a failure, and rejects with the reason of its signal", async (t) => {
  const setup = setUpAuthority(t);
  const abort = new AbortController();
  const cut = assert.rejects(setup.authority.ready(abort.signal, { attempt: true }), { message: "enough" });
  abort.abort(new Error("enough"));
  await cut;
  setup.answer = () => status(503);
  let ready = false;
  void (async () => {
    await setup.authority.ready(signal(), { attempt: false });
    ready = true;
  })();
  setup.authority.start();
  await setup.clock.advance(0);
  await setup.authority.ready(signal(), { attempt: true });
  assert.equal(ready, false);
  setup.answer = healthy;
  await setup.clock.advance(10_000);
  assert.equal(ready, true);
});

test("a breaker that is forced open sends no requests, forced closed it sends all, and released it probes", async (t) => {
  const setup = setUpAuthority(t);
  setup.authority.start();
  await setup.clock.advance(1);
  setup.authority.force("open");
  await setup.clock.advance(60_000);
  assert.ok("status" in setup.authority.ask("opaque-token-0123456789"));
  assert.deepEqual([setup.asked.length, setup.authority.failingMs()], [1, 60_000]);
  setup.authority.force("closed");
  await setup.clock.advance(0);
  assert.equal(setup.authority.failingMs(), null);
  setup.answer = refused;
  for (let i = 0; i < 20; i++) await setup.askAndAdvance(300);
  assert.equal(setup.authority.status().breaker, "forced closed");
  setup.authority.force(null);
  await setup.clock.advance(2000);
  assert.equal(setup.authority.status().breaker, "open");
  assert.deepEqual(setup.events(), [
    "breaker_opened",
    "breaker_closed",
    "authority_failed",
    "breaker_opened",
  ]);
});

test("one probe runs at a time, even if the breaker is forced while it hangs", async (t) => {
  const setup = setUpAuthority(t);
  setup.answer = hang;
  setup.authority.start();
  await setup.clock.advance(100);
  for (const state of ["closed", null, "open", null] as const) {
    setup.authority.force(state);
    await setup.clock.advance(100);
    assert.equal(setup.concurrent(), 1);
  }
});

test("close aborts the probe in flight without an event", async (t) => {
  const setup = setUpAuthority(t);
  setup.answer = hang;
  setup.authority.start();
  await setup.clock.advance(100);
  setup.authority.close();
  await setup.clock.advance(60_000);
  assert.deepEqual([setup.concurrent(), setup.clock.pending, setup.asked.length], [0, 0, 1]);
  assert.deepEqual([setup.events(), setup.authority.status().lastError], [[], null]);
});

test("an answer to an earlier request does not end the outage of a breaker that was forced open", async (t) => {
  const setup = setUpAuthority(t);
  setup.answer = after(setup.clock, 500, yes);
  const asked = setup.authority.ask("opaque-token-0123456789");
  await setup.clock.advance(100);
  setup.authority.force("open");
  await setup.clock.advance(400);
  assert.equal((await asked).status, "yes");
  assert.equal(setup.authority.failingMs(), 400);
});

test("failingMs counts from the first failure after the last answer, on the larger of both clocks", async (t) => {
  const setup = setUpAuthority(t);
  setup.answer = hang;
  await setup.askAndAdvance(2000);
  assert.equal(setup.authority.failingMs(), 0);
  await setup.clock.advance(1000);
  setup.clock.suspend(60_000);
  assert.equal(setup.authority.failingMs(), 61_000);
  setup.clock.setWall(setup.clock.now() - 3_600_000);
  assert.equal(setup.authority.failingMs(), 1000);
  setup.answer = no;
  await setup.askAndAdvance(1);
  assert.equal(setup.authority.failingMs(), null);
});
