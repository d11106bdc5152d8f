import assert from "node:assert/strict";
import { test } from "node:test";
import { after, hang, setUpAuthority, refused, healthy, status, yes } from "./fixture.ts";

const unavailable = (retryAfterMs: number, cause = "authority_unavailable") => ({
  status: "unavailable",
  cause,
  retryAfterMs,
});

test("fault 16: refused connections are unavailable; the breaker opens, and then calls return at once without a request", async (t) => {
  const setup = setUpAuthority(t);
  setup.answer = refused;
  for (let i = 0; i < 4; i++) assert.deepEqual(await setup.askAndAdvance(300), unavailable(1000));
  assert.equal((await setup.askAndAdvance(300)).status, "unavailable");
  assert.equal(setup.authority.status().breaker, "open");
  assert.equal(setup.authority.status().lastError, "ECONNREFUSED");
  const requests = setup.asked.length;
  for (let i = 0; i < 1000; i++) {
    const outcome = setup.authority.ask("opaque-token-0123456789");
    assert.ok("status" in outcome && outcome.status === "unavailable");
    assert.ok(outcome.retryAfterMs > 0 && outcome.retryAfterMs <= 1000);
  }
  assert.equal(setup.asked.length, requests);
  assert.deepEqual(setup.events(), ["authority_failed", "breaker_opened"]);
});

test("fault 16: an authority that returns after an hour is asked again within 12 s, and each event is emitted once", async (t) => {
  const setup = setUpAuthority(t);
  setup.authority.start();
  await setup.clock.advance(100);
  assert.equal(setup.authority.failingMs(), null);
  setup.answer = refused;
  for (let i = 0; i < 5; i++) await setup.askAndAdvance(300);
  await setup.clock.advance(3_600_000);
  assert.ok((setup.authority.failingMs() ?? 0) >= 3_600_000);
  const requests = setup.asked.length;
  assert.ok(requests < 600, `${requests} requests in an hour`);
  setup.answer = healthy;
  await setup.clock.advance(12_000);
  assert.equal(setup.authority.status().breaker, "closed");
  assert.deepEqual(await setup.askAndAdvance(1), { status: "yes", claims: { sub: "alice" } });
  const { failingMs, lastError } = setup.authority.status();
  assert.deepEqual([failingMs, lastError], [null, null]);
  assert.deepEqual(setup.events(), ["authority_failed", "breaker_opened", "breaker_closed"]);
});

test("fault 17: a response with one byte a second fails after 2 s, and its body is cancelled", async (t) => {
  const setup = setUpAuthority(t);
  let cancelled = false;
  setup.answer = (_token, signal) => {
    const body = new ReadableStream<Uint8Array>({
      pull: async (controller) => {
        await new Promise<void>((resolve) => void setup.clock.after(1000, resolve));
        controller.enqueue(new TextEncoder().encode(" "));
      },
    });
    signal.addEventListener("abort", () => (cancelled = true), { once: true });
    return new Response(body);
  };
  let outcome: unknown;
  void (async () => (outcome = await setup.authority.ask("opaque-token-0123456789")))();
  await setup.clock.advance(1999);
  assert.equal(outcome, undefined);
  await setup.clock.advance(1);
  assert.deepEqual(outcome, unavailable(1000));
  assert.ok(cancelled);
  assert.equal(setup.authority.status().lastError, "the authority's answer took longer than 2000 ms");
});

for (const code of [500, 501, 502, 503, 504, 408, 425, 429]) {
  test(`fault 18: status ${code} is unavailable, and the next token is asked about`, async (t) => {
    const setup = setUpAuthority(t);
    setup.answer = () => status(code);
    assert.deepEqual(await setup.askAndAdvance(1), unavailable(1000));
    assert.deepEqual(setup.events(), ["authority_failed"]);
    setup.answer = healthy;
    assert.equal((await setup.askAndAdvance(1)).status, "yes");
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
  test(`fault 18: Retry-After "${header}" is followed for ${waitMs} ms, by calls and probes`, async (t) => {
    const setup = setUpAuthority(t);
    setup.answer = () => status(429, { "Retry-After": header });
    assert.deepEqual(await setup.askAndAdvance(0), unavailable(waitMs || 1000));
    setup.answer = hang;
    setup.authority.start();
    if (waitMs > 0) {
      await setup.clock.advance(waitMs - 1);
      assert.ok("status" in setup.authority.ask("opaque-token-0123456789"));
      assert.equal(setup.asked.length, 1);
      assert.equal(setup.authority.status().retryAfterMs, 1);
      await setup.clock.advance(1);
    }
    await setup.clock.advance(0);
    assert.equal(setup.asked.length, 2, "the probe");
    assert.ok(!("status" in setup.authority.ask("opaque-token-0123456789")));
  });
}

test("fault 18: the probe of an open breaker waits for the end of Retry-After too", async (t) => {
  const setup = setUpAuthority(t);
  setup.answer = after(setup.clock, 1200, () => status(503, { "Retry-After": "40" }));
  for (let i = 0; i < 5; i++) void setup.authority.ask(`opaque-token-of-caller-${i}`);
  await setup.clock.advance(1200);
  assert.equal(setup.authority.status().breaker, "open");
  assert.equal(setup.authority.status().retryAfterMs, 40_000);
  await setup.clock.advance(39_999);
  assert.equal(setup.asked.length, 5);
  await setup.clock.advance(1);
  assert.equal(setup.asked.length, 6);
});

for (const code of [400, 401, 403, 404, 405, 415]) {
  test(`fault 20: status ${code} is a misconfiguration: unavailable, with an event of its own and a failure for the breaker`, async (t) => {
    const setup = setUpAuthority(t);
    setup.answer = () => status(code);
    assert.deepEqual(await setup.askAndAdvance(300), unavailable(1000, "authority_misconfigured"));
    assert.deepEqual(setup.events(), ["authority_misconfigured"]);
    assert.deepEqual(setup.messages, [`the authority answered ${code}: check url and credentials`]);
    for (let i = 0; i < 4; i++) await setup.askAndAdvance(300);
    assert.equal(setup.authority.status().breaker, "open");
    const outcome = setup.authority.ask("opaque-token-0123456789");
    assert.ok("status" in outcome && outcome.status === "unavailable");
    assert.equal(outcome.cause, "authority_misconfigured");
    assert.equal(setup.asked.length, 5);
    assert.deepEqual(setup.events(), ["breaker_opened"]);
  });
}

test("fault 22: an authority that fails half of the time gets at most a tenth more requests, and the breaker stays closed", async (t) => {
  const setup = setUpAuthority(t);
  let request = 0;
  setup.answer = (token, signal) => (request++ % 2 === 0 ? healthy(token, signal) : status(503));
  const questions = 2000;
  for (let i = 0; i < questions; i++) await setup.askAndAdvance(10);
  assert.ok(setup.asked.length > questions && setup.asked.length <= 1.1 * questions);
  assert.equal(setup.authority.status().breaker, "closed");
  const events = setup.events();
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
  ["a request that hangs", false, hang],
] as const) {
  test(`fault 22: ${what} is ${retried ? "tried once more" : "not tried again"}`, async (t) => {
    const setup = setUpAuthority(t);
    for (let i = 0; i < 10; i++) await setup.askAndAdvance(1);
    setup.answer = answer;
    const before = setup.asked.length;
    await setup.askAndAdvance(2000);
    assert.equal(setup.asked.length - before, retried ? 2 : 1);
  });
}

test("fault 22: ten requests pay for one retry, so retries that were spent come back with further requests", async (t) => {
  const setup = setUpAuthority(t);
  const askOftenWithoutFailure = async (times: number) => {
    setup.answer = healthy;
    for (let i = 0; i < times; i++) assert.equal((await setup.askAndAdvance(1)).status, "yes");
  };
  const askWithOneFailure = async () => {
    let requests = 0;
    setup.answer = (token, signal) => (requests++ === 0 ? status(503) : healthy(token, signal));
    return (await setup.askAndAdvance(2_000)).status;
  };
  // The first 50 requests pay for the five retries of the beginning.
  await askOftenWithoutFailure(50);
  const retried: string[] = [];
  for (let i = 0; i < 6; i++) retried.push(await askWithOneFailure());
  assert.deepEqual(retried, ["yes", "yes", "yes", "yes", "yes", "unavailable"]);
  await askOftenWithoutFailure(10);
  assert.equal(await askWithOneFailure(), "yes");
});

test("a retry ends at the deadline of the question", async (t) => {
  const setup = setUpAuthority(t);
  for (let i = 0; i < 10; i++) await setup.askAndAdvance(1);
  let requests = 0;
  setup.answer = async (token, signal) =>
    await (requests++ === 0 ? after(setup.clock, 1500, refused)(token, signal) : hang(token, signal));
  assert.deepEqual(await setup.askAndAdvance(2000), unavailable(1000));
  assert.equal(requests, 2);
  assert.equal(setup.concurrent(), 0);
});

test("fault 23: a thousand callers at half-open get their outcome at once, and recovery causes no burst", async (t) => {
  const setup = setUpAuthority(t);
  setup.answer = refused;
  for (let i = 0; i < 5; i++) await setup.askAndAdvance(300);
  setup.answer = after(setup.clock, 1900, healthy);
  await setup.clock.advance(1000);
  assert.equal(setup.authority.status().breaker, "half-open");
  const requests = setup.asked.length;
  for (let i = 0; i < 1000; i++) assert.ok("status" in setup.authority.ask(`opaque-token-of-caller-${i}`));
  assert.deepEqual([setup.asked.length - requests, setup.concurrent()], [0, 1]);
  await setup.clock.advance(1900);
  assert.equal(setup.authority.status().breaker, "closed");
  const outcomes = Array.from({ length: 1000 }, (_, i) => setup.authority.ask(`opaque-token-of-caller-${i}`));
  await setup.clock.advance(0);
  assert.equal(setup.concurrent(), 64);
  setup.answer = healthy;
  await setup.clock.advance(2_000);
  for (const outcome of outcomes) assert.equal((await outcome).status, "yes");
});

test("fault 24: a hanging probe ends at its deadline, the breaker opens again, and the next probe follows", async (t) => {
  const setup = setUpAuthority(t);
  setup.answer = refused;
  for (let i = 0; i < 5; i++) await setup.askAndAdvance(300);
  setup.answer = hang;
  await setup.clock.advance(1000);
  assert.equal(setup.authority.status().breaker, "half-open");
  await setup.clock.advance(2000);
  assert.notEqual(setup.authority.status().breaker, "half-open");
  setup.answer = healthy;
  await setup.clock.advance(2000);
  assert.equal(setup.authority.status().breaker, "closed");
});

test("fault 25: the soft timeout is 80 ms or three times the recent p99, at most the hard timeout", async (t) => {
  const setup = setUpAuthority(t);
  assert.equal(setup.authority.softTimeoutMs, 80);
  setup.answer = hang;
  await setup.askAndAdvance(2000);
  assert.equal(setup.authority.softTimeoutMs, 80, "a request without an answer does not count");
  setup.answer = after(setup.clock, 150, yes);
  await setup.askAndAdvance(150);
  assert.equal(setup.authority.softTimeoutMs, 450, "a late answer counts");
  setup.answer = after(setup.clock, 1200, yes);
  await setup.askAndAdvance(1200);
  assert.equal(setup.authority.softTimeoutMs, 2000);
  setup.answer = yes;
  for (let i = 0; i < 110; i++) await setup.askAndAdvance(1);
  assert.equal(setup.authority.softTimeoutMs, 80);
});

test("fault 33: DNS and certificate errors are unavailable, and authority_failed names the error code", async (t) => {
  for (const code of ["ENOTFOUND", "CERT_HAS_EXPIRED", "ERR_TLS_CERT_ALTNAME_INVALID"]) {
    await t.test(code, async (tt) => {
      const setup = setUpAuthority(tt);
      setup.answer = () => {
        throw new TypeError("fetch failed", { cause: Object.assign(new Error("secret"), { code }) });
      };
      assert.deepEqual(await setup.askAndAdvance(1), unavailable(1000));
      assert.deepEqual([setup.events(), setup.messages], [["authority_failed"], [code]]);
    });
  }
});

test("law 6: 64 requests are in flight and 1,000 questions wait; further ones are overloaded at once", async (t) => {
  const setup = setUpAuthority(t);
  setup.answer = hang;
  const asked = Array.from({ length: 1064 }, (_, i) => setup.authority.ask(`opaque-token-of-caller-${i}`));
  assert.ok(asked.every((outcome) => !("status" in outcome)));
  assert.deepEqual(setup.authority.ask("opaque-token-0123456789"), unavailable(1000, "overloaded"));
  assert.equal(setup.authority.status().inFlight, 1064);
  await setup.clock.advance(0);
  assert.equal(setup.concurrent(), 64);
  assert.deepEqual(setup.events(), []);
  await setup.clock.advance(2000);
  assert.equal(setup.authority.status().inFlight, 0);
  assert.equal(setup.concurrent(), 0);
});

test("close aborts the requests in flight, their questions are unavailable as closed, and no timer is left", async (t) => {
  const setup = setUpAuthority(t);
  setup.authority.start();
  await setup.clock.advance(1);
  setup.answer = hang;
  const asked = setup.authority.ask("opaque-token-0123456789");
  await setup.clock.advance(100);
  setup.authority.close();
  assert.deepEqual(await asked, unavailable(1000, "closed"));
  assert.deepEqual(setup.authority.ask("opaque-token-0123456789"), unavailable(1000, "closed"));
  await setup.clock.advance(0);
  assert.deepEqual([setup.concurrent(), setup.clock.pending], [0, 0]);
  assert.deepEqual(setup.events(), []);
});

test("fault 39: an event loop that was blocked for 2 s does not count as a failure of the authority", async (t) => {
  const setup = setUpAuthority(t);
  let answer = (_response: Response) => {};
  setup.answer = async () => await new Promise<Response>((resolve) => (answer = resolve));
  const asked = setup.authority.ask("opaque-token-0123456789");
  await setup.clock.advance(100);
  const blocked = setup.clock.block(2000);
  await new Promise<void>((resolve) => setImmediate(resolve));
  answer(yes());
  await blocked;
  assert.equal((await asked).status, "yes");
  assert.deepEqual(setup.events(), []);
});
