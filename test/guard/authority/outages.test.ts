import assert from "node:assert/strict";
import { test } from "node:test";
import { after, hang, makeWorld, refused, sound, status, yes } from "./world.ts";

const unavailable = (retryAfterMs: number, cause = "authority_unavailable") => ({
  status: "unavailable",
  cause,
  retryAfterMs,
});

test("fault 16: connections are refused: never a no; the breaker opens, and then nobody is asked and nobody waits", async (t) => {
  const world = makeWorld(t);
  world.answer = refused;
  for (let i = 0; i < 4; i++) assert.deepEqual(await world.askFor(300), unavailable(1000));
  assert.equal((await world.askFor(300)).status, "unavailable");
  assert.equal(world.authority.status().breaker, "open");
  assert.equal(world.authority.status().lastError, "ECONNREFUSED");
  const requests = world.asked.length;
  for (let i = 0; i < 1000; i++) {
    const outcome = world.authority.ask("opaque-token-0123456789");
    assert.ok("status" in outcome && outcome.status === "unavailable");
    assert.ok(outcome.retryAfterMs > 0 && outcome.retryAfterMs <= 1000);
  }
  assert.equal(world.asked.length, requests);
  assert.deepEqual(world.events(), ["authority_failed", "breaker_opened"]);
});

test("fault 16: after an outage of an hour it is asked again within 12 s of its return, and the alarms say so once", async (t) => {
  const world = makeWorld(t);
  world.authority.start();
  await world.clock.advance(100);
  assert.equal(world.authority.failingMs(), null);
  world.answer = refused;
  for (let i = 0; i < 5; i++) await world.askFor(300);
  await world.clock.advance(3_600_000);
  assert.ok((world.authority.failingMs() ?? 0) >= 3_600_000);
  const requests = world.asked.length;
  assert.ok(requests < 600, `${requests} requests in an hour`);
  world.answer = sound;
  await world.clock.advance(12_000);
  assert.equal(world.authority.status().breaker, "closed");
  assert.deepEqual(await world.askFor(1), { status: "yes", claims: { sub: "alice" } });
  const { failingMs, lastError } = world.authority.status();
  assert.deepEqual([failingMs, lastError], [null, null]);
  assert.deepEqual(world.events(), ["authority_failed", "breaker_opened", "breaker_closed"]);
});

test("fault 17: headers, then a byte a second: given up after 2 s, a failure, and the body is let go", async (t) => {
  const world = makeWorld(t);
  let cancelled = false;
  world.answer = (_token, signal) => {
    const body = new ReadableStream<Uint8Array>({
      pull: async (controller) => {
        await new Promise<void>((resolve) => void world.clock.after(1000, resolve));
        controller.enqueue(new TextEncoder().encode(" "));
      },
    });
    signal.addEventListener("abort", () => (cancelled = true), { once: true });
    return new Response(body);
  };
  let outcome: unknown;
  void (async () => (outcome = await world.authority.ask("opaque-token-0123456789")))();
  await world.clock.advance(1999);
  assert.equal(outcome, undefined);
  await world.clock.advance(1);
  assert.deepEqual(outcome, unavailable(1000));
  assert.ok(cancelled);
  assert.equal(world.authority.status().lastError, "the authority's answer took longer than 2000 ms");
});

for (const code of [500, 501, 502, 503, 504, 408, 425, 429]) {
  test(`fault 18: ${code} is unavailable, and the authority is asked again about the next token`, async (t) => {
    const world = makeWorld(t);
    world.answer = () => status(code);
    assert.deepEqual(await world.askFor(1), unavailable(1000));
    assert.deepEqual(world.events(), ["authority_failed"]);
    world.answer = sound;
    assert.equal((await world.askFor(1)).status, "yes");
  });
}

const date = (ms: number) => new Date(Date.UTC(2030, 0, 1) + ms).toUTCString();

for (const [header, waitMs] of [
  ["7", 7_000],
  ["0", 0],
  ["86400", 60_000],
  [date(12_000), 12_000],
  [date(-12_000), 0],
  [date(86_400_000), 60_000],
  ["soon", 0],
  ["-5", 0],
] as const) {
  test(`fault 18: Retry-After "${header}" is followed for ${waitMs} ms, by users and probes`, async (t) => {
    const world = makeWorld(t);
    world.answer = () => status(429, { "Retry-After": header });
    assert.deepEqual(await world.askFor(0), unavailable(waitMs || 1000));
    world.answer = hang;
    world.authority.start();
    if (waitMs > 0) {
      await world.clock.advance(waitMs - 1);
      assert.ok("status" in world.authority.ask("opaque-token-0123456789"));
      assert.equal(world.asked.length, 1);
      assert.equal(world.authority.status().retryAfterMs, 1);
      await world.clock.advance(1);
    }
    await world.clock.advance(0);
    assert.equal(world.asked.length, 2, "the probe");
    assert.ok(!("status" in world.authority.ask("opaque-token-0123456789")));
  });
}

test("fault 18: an open breaker's probe waits for the end of Retry-After too", async (t) => {
  const world = makeWorld(t);
  world.answer = after(world.clock, 1200, () => status(503, { "Retry-After": "40" }));
  for (let i = 0; i < 5; i++) void world.authority.ask(`opaque-token-of-caller-${i}`);
  await world.clock.advance(1200);
  assert.equal(world.authority.status().breaker, "open");
  assert.equal(world.authority.status().retryAfterMs, 40_000);
  await world.clock.advance(39_999);
  assert.equal(world.asked.length, 5);
  await world.clock.advance(1);
  assert.equal(world.asked.length, 6);
});

for (const code of [400, 401, 403, 404, 405, 415]) {
  test(`fault 20: ${code} is about us and not about the token: unavailable, a loud alarm, a failure`, async (t) => {
    const world = makeWorld(t);
    world.answer = () => status(code);
    assert.deepEqual(await world.askFor(300), unavailable(1000, "authority_misconfigured"));
    assert.deepEqual(world.events(), ["authority_misconfigured"]);
    assert.deepEqual(world.messages, [`the authority answered ${code}: check url and credentials`]);
    for (let i = 0; i < 4; i++) await world.askFor(300);
    assert.equal(world.authority.status().breaker, "open");
    const outcome = world.authority.ask("opaque-token-0123456789");
    assert.ok("status" in outcome && outcome.status === "unavailable");
    assert.equal(outcome.cause, "authority_misconfigured");
    assert.equal(world.asked.length, 5);
    assert.deepEqual(world.events(), ["breaker_opened"]);
  });
}

test("fault 22: it fails half of the time: at most a tenth more requests, every failure is tried once more at most, no flapping", async (t) => {
  const world = makeWorld(t);
  let request = 0;
  world.answer = (token, signal) => (request++ % 2 === 0 ? sound(token, signal) : status(503));
  const questions = 2000;
  for (let i = 0; i < questions; i++) await world.askFor(10);
  assert.ok(world.asked.length > questions && world.asked.length <= 1.1 * questions);
  assert.equal(world.authority.status().breaker, "closed");
  const events = world.events();
  assert.ok(events.every((event) => event === "authority_failed") && events.length <= 3, events.join());
});

for (const [what, retried, answer] of [
  ["a refused connection", true, refused],
  ["502", true, () => status(502)],
  ["503", true, () => status(503)],
  ["504", true, () => status(504)],
  ["503 with Retry-After", false, () => status(503, { "Retry-After": "1" })],
  ["500", false, () => status(500)],
  ["429", false, () => status(429)],
  ["401", false, () => status(401)],
  ["HTML", false, () => new Response("<html>")],
  ["silence", false, hang],
] as const) {
  test(`fault 22: ${what} is ${retried ? "tried once more" : "not tried again"}`, async (t) => {
    const world = makeWorld(t);
    for (let i = 0; i < 10; i++) await world.askFor(1);
    world.answer = answer;
    const before = world.asked.length;
    await world.askFor(2000);
    assert.equal(world.asked.length - before, retried ? 2 : 1);
  });
}

test("the retry has what is left of the 2 s", async (t) => {
  const world = makeWorld(t);
  for (let i = 0; i < 10; i++) await world.askFor(1);
  let requests = 0;
  world.answer = async (token, signal) =>
    await (requests++ === 0 ? after(world.clock, 1500, refused)(token, signal) : hang(token, signal));
  assert.deepEqual(await world.askFor(2000), unavailable(1000));
  assert.equal(requests, 2);
  assert.equal(world.concurrent(), 0);
});

test("fault 23: a thousand callers at half-open take the next rung at once; when it recovers there is no burst", async (t) => {
  const world = makeWorld(t);
  world.answer = refused;
  for (let i = 0; i < 5; i++) await world.askFor(300);
  world.answer = after(world.clock, 1900, sound);
  await world.clock.advance(1000);
  assert.equal(world.authority.status().breaker, "half-open");
  const requests = world.asked.length;
  for (let i = 0; i < 1000; i++) assert.ok("status" in world.authority.ask(`opaque-token-of-caller-${i}`));
  assert.deepEqual([world.asked.length - requests, world.concurrent()], [0, 1]);
  await world.clock.advance(1900);
  assert.equal(world.authority.status().breaker, "closed");
  const outcomes = Array.from({ length: 1000 }, (_, i) => world.authority.ask(`opaque-token-of-caller-${i}`));
  await world.clock.advance(0);
  assert.equal(world.concurrent(), 64);
  world.answer = sound;
  await world.clock.advance(2_000);
  for (const outcome of outcomes) assert.equal((await outcome).status, "yes");
});

test("fault 24: a probe that hangs ends at its deadline, the breaker is open again, and the next probe comes", async (t) => {
  const world = makeWorld(t);
  world.answer = refused;
  for (let i = 0; i < 5; i++) await world.askFor(300);
  world.answer = hang;
  await world.clock.advance(1000);
  assert.equal(world.authority.status().breaker, "half-open");
  await world.clock.advance(2000);
  assert.notEqual(world.authority.status().breaker, "half-open");
  world.answer = sound;
  await world.clock.advance(2000);
  assert.equal(world.authority.status().breaker, "closed");
});

test("fault 25: patience is 80 ms until there is a sample, then three times the recent p99, the hard timeout at most", async (t) => {
  const world = makeWorld(t);
  assert.equal(world.authority.patienceMs, 80);
  world.answer = hang;
  await world.askFor(2000);
  assert.equal(world.authority.patienceMs, 80, "silence is no sample");
  world.answer = after(world.clock, 150, yes);
  await world.askFor(150);
  assert.equal(world.authority.patienceMs, 450, "a late answer is one");
  world.answer = after(world.clock, 1200, yes);
  await world.askFor(1200);
  assert.equal(world.authority.patienceMs, 2000);
  world.answer = yes;
  for (let i = 0; i < 110; i++) await world.askFor(1);
  assert.equal(world.authority.patienceMs, 80);
});

test("fault 33: a name that does not resolve, a certificate that is expired or another's: unavailable, and an alarm that names it", async (t) => {
  for (const code of ["ENOTFOUND", "CERT_HAS_EXPIRED", "ERR_TLS_CERT_ALTNAME_INVALID"]) {
    await t.test(code, async (tt) => {
      const world = makeWorld(tt);
      world.answer = () => {
        throw new TypeError("fetch failed", { cause: Object.assign(new Error("secret"), { code }) });
      };
      assert.deepEqual(await world.askFor(1), unavailable(1000));
      assert.deepEqual([world.events(), world.messages], [["authority_failed"], [code]]);
    });
  }
});

test("law 6: 64 questions are under way at once and 1,000 wait; beyond, the answer is `overloaded`, at once", async (t) => {
  const world = makeWorld(t);
  world.answer = hang;
  const asked = Array.from({ length: 1064 }, (_, i) => world.authority.ask(`opaque-token-of-caller-${i}`));
  assert.ok(asked.every((outcome) => !("status" in outcome)));
  assert.deepEqual(world.authority.ask("opaque-token-0123456789"), unavailable(1000, "overloaded"));
  assert.equal(world.authority.status().inFlight, 1064);
  await world.clock.advance(0);
  assert.equal(world.concurrent(), 64);
  assert.deepEqual(world.events(), []);
  await world.clock.advance(2000);
  assert.equal(world.authority.status().inFlight, 0);
  assert.equal(world.concurrent(), 0);
});

test("questions under way when it is closed hear `closed`, their requests end, and no timer is left", async (t) => {
  const world = makeWorld(t);
  world.authority.start();
  await world.clock.advance(1);
  world.answer = hang;
  const asked = world.authority.ask("opaque-token-0123456789");
  await world.clock.advance(100);
  world.authority.close();
  assert.deepEqual(await asked, unavailable(1000, "closed"));
  assert.deepEqual(world.authority.ask("opaque-token-0123456789"), unavailable(1000, "closed"));
  await world.clock.advance(0);
  assert.deepEqual([world.concurrent(), world.clock.pending], [0, 0]);
  assert.deepEqual(world.events(), []);
});

test("fault 39: a loop that was blocked for 2 s is no failure of the authority", async (t) => {
  const world = makeWorld(t);
  let answer = (_response: Response) => {};
  world.answer = async () => await new Promise<Response>((resolve) => (answer = resolve));
  const asked = world.authority.ask("opaque-token-0123456789");
  await world.clock.advance(100);
  const blocked = world.clock.block(2000);
  await new Promise<void>((resolve) => setImmediate(resolve));
  answer(yes());
  await blocked;
  assert.equal((await asked).status, "yes");
  assert.deepEqual(world.events(), []);
});
