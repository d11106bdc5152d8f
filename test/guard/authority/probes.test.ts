import assert from "node:assert/strict";
import { test } from "node:test";
import { after, hang, makeWorld, no, refused, sound, status, yes } from "./world.ts";

const signal = () => new AbortController().signal;

test("start asks at once about a token that nobody has, and its answer is the first sample", async (t) => {
  const world = makeWorld(t);
  world.answer = after(world.clock, 150, sound);
  world.authority.start();
  await world.clock.advance(150);
  assert.match(world.asked[0] ?? "", /^holdfast-probe-[0-9a-v]{24}$/);
  assert.equal(world.authority.patienceMs, 450);
  await world.authority.ready(signal(), { attempt: false });
});

test("while users have answers it does not probe; when nobody asks it probes every 10 s, give or take a fifth", async (t) => {
  const world = makeWorld(t);
  world.authority.start();
  await world.clock.advance(1);
  for (let second = 0; second < 60; second++) await world.askFor(1000);
  assert.equal(world.asked.filter((token) => token.startsWith("holdfast-probe-")).length, 1);
  await world.clock.advance(600_000);
  const probes = world.asked.filter((token) => token.startsWith("holdfast-probe-"));
  assert.ok(probes.length >= 50 && probes.length <= 75, `${probes.length} in ten minutes`);
  assert.equal(new Set(probes).size, probes.length);
});

test("two failing probes in a row open the breaker before any user notices", async (t) => {
  const world = makeWorld(t);
  world.authority.start();
  await world.clock.advance(1);
  world.answer = refused;
  await world.clock.advance(15_000);
  assert.notEqual(world.authority.status().breaker, "closed");
  assert.deepEqual(world.events(), ["authority_failed", "breaker_opened"]);
  world.answer = sound;
  await world.clock.advance(30_000);
  assert.equal(world.authority.status().breaker, "closed");
  assert.equal(world.authority.failingMs(), null);
});

test("an authority that calls a made-up token good is not believed", async (t) => {
  const world = makeWorld(t);
  world.answer = yes;
  world.authority.start();
  await world.clock.advance(5000);
  assert.equal(world.authority.status().lastError, "the authority said yes to the probe's token");
  assert.notEqual(world.authority.status().breaker, "closed");
});

test("a canary has to be called good, is asked for each time, and never shows in what is said", async (t) => {
  let canaries = 0;
  const world = makeWorld(t, { canary: () => `canary-${++canaries}` });
  world.answer = yes;
  world.authority.start();
  await world.clock.advance(15_000);
  assert.deepEqual(world.asked, ["canary-1", "canary-2"]);
  assert.equal(world.authority.failingMs(), null);
  world.answer = no;
  await world.clock.advance(15_000);
  assert.equal(world.authority.status().lastError, "the authority said no to the probe's token");
  assert.notEqual(world.authority.status().breaker, "closed");
  assert.ok(!JSON.stringify([world.messages, world.authority.status()]).includes("canary-"));
});

for (const [what, canary] of [
  [
    "throws",
    () => {
      throw new Error("canary-secret");
    },
  ],
  ["rejects", async () => await Promise.reject(new Error("canary-secret"))],
  ["hangs", async () => await new Promise<string>(() => {})],
  ["gives no token", () => ""],
] as [string, () => string | Promise<string>][]) {
  test(`a canary function that ${what} is not the authority's fault: a made-up token takes its place, with one alarm`, async (t) => {
    const world = makeWorld(t, { canary });
    world.authority.start();
    await world.clock.advance(30_000);
    assert.ok(world.asked.length >= 2 && world.asked.every((token) => token.startsWith("holdfast-probe-")));
    assert.equal(world.authority.status().breaker, "closed");
    assert.deepEqual(world.events(), ["authority_misconfigured"]);
    assert.ok(!world.messages.join().includes("canary-secret"));
  });
}

test("ready waits for an answer; with `attempt` a failure is enough; the signal ends the wait with its reason", async (t) => {
  const world = makeWorld(t);
  const abort = new AbortController();
  const cut = assert.rejects(world.authority.ready(abort.signal, { attempt: true }), { message: "enough" });
  abort.abort(new Error("enough"));
  await cut;
  world.answer = () => status(503);
  let ready = false;
  void (async () => {
    await world.authority.ready(signal(), { attempt: false });
    ready = true;
  })();
  world.authority.start();
  await world.clock.advance(0);
  await world.authority.ready(signal(), { attempt: true });
  assert.equal(ready, false);
  world.answer = sound;
  await world.clock.advance(10_000);
  assert.equal(ready, true);
});

test("held open it asks nobody and counts as failing; held closed it always asks; given back, a probe finds out", async (t) => {
  const world = makeWorld(t);
  world.authority.start();
  await world.clock.advance(1);
  world.authority.force("open");
  await world.clock.advance(60_000);
  assert.ok("status" in world.authority.ask("opaque-token-0123456789"));
  assert.deepEqual([world.asked.length, world.authority.failingMs()], [1, 60_000]);
  world.authority.force("closed");
  await world.clock.advance(0);
  assert.equal(world.authority.failingMs(), null);
  world.answer = refused;
  for (let i = 0; i < 20; i++) await world.askFor(300);
  assert.equal(world.authority.status().breaker, "forced closed");
  world.authority.force(null);
  await world.clock.advance(2000);
  assert.equal(world.authority.status().breaker, "open");
  assert.deepEqual(world.events(), [
    "breaker_opened",
    "breaker_closed",
    "authority_failed",
    "breaker_opened",
  ]);
});

test("there is one probe at a time, whatever is done by hand while it hangs", async (t) => {
  const world = makeWorld(t);
  world.answer = hang;
  world.authority.start();
  await world.clock.advance(100);
  for (const state of ["closed", null, "open", null] as const) {
    world.authority.force(state);
    await world.clock.advance(100);
    assert.equal(world.concurrent(), 1);
  }
});

test("a probe that is under way when it is closed ends, and nothing is said of it", async (t) => {
  const world = makeWorld(t);
  world.answer = hang;
  world.authority.start();
  await world.clock.advance(100);
  world.authority.close();
  await world.clock.advance(60_000);
  assert.deepEqual([world.concurrent(), world.clock.pending, world.asked.length], [0, 0, 1]);
  assert.deepEqual([world.events(), world.authority.status().lastError], [[], null]);
});

test("an answer that was under way when it was forced open does not end the outage that the operator declared", async (t) => {
  const world = makeWorld(t);
  world.answer = after(world.clock, 500, yes);
  const asked = world.authority.ask("opaque-token-0123456789");
  await world.clock.advance(100);
  world.authority.force("open");
  await world.clock.advance(400);
  assert.equal((await asked).status, "yes");
  assert.equal(world.authority.failingMs(), 400);
});

test("failing is counted on the larger clock, from the first failure after the last answer", async (t) => {
  const world = makeWorld(t);
  world.answer = hang;
  await world.askFor(2000);
  assert.equal(world.authority.failingMs(), 0);
  await world.clock.advance(1000);
  world.clock.suspend(60_000);
  assert.equal(world.authority.failingMs(), 61_000);
  world.clock.setWall(world.clock.now() - 3_600_000);
  assert.equal(world.authority.failingMs(), 1000);
  world.answer = no;
  await world.askFor(1);
  assert.equal(world.authority.failingMs(), null);
});
