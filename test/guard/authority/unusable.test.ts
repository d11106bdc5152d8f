import assert from "node:assert/strict";
import { test } from "node:test";
import { createGuard, introspection, staticKeys } from "../../../src/index.ts";
import { createMint, FakeClock } from "../../../src/testing/index.ts";
import { after, healthy, no, setUpAuthority, status, yes } from "./fixture.ts";

const odd = () => Response.json({ active: true, sub: 7 });
const bad = "opaque-token-of-a-stranger";

test("fault 76: unusable answers about one token neither open the breaker nor count as an outage", async (t) => {
  const setup = setUpAuthority(t);
  setup.authority.start();
  setup.answer = (token, signal) => (token === bad ? odd() : healthy(token, signal));
  await setup.clock.advance(10);
  for (let i = 0; i < 100; i++) assert.equal((await setup.askAndAdvance(100, bad)).status, "unavailable");
  const { breaker, failingMs, lastError } = setup.authority.status();
  assert.deepEqual([breaker, failingMs, lastError], ["closed", null, null]);
  assert.equal((await setup.askAndAdvance(1)).status, "yes");
  const probes = setup.asked.filter((token) => token.startsWith("holdfast-probe-")).length;
  assert.ok(probes > 5 && probes < 20, `${probes} probes check the authority`);
  assert.deepEqual(new Set(setup.events()), new Set(["authority_failed"]));
});

test("fault 76: an authority that answers everybody unusably is found by its probes", async (t) => {
  const setup = setUpAuthority(t);
  setup.authority.start();
  await setup.clock.advance(10);
  setup.answer = odd;
  for (let i = 0; i < 20; i++) await setup.askAndAdvance(200, `opaque-token-of-user-${i}`);
  assert.equal(setup.authority.status().breaker, "open");
  setup.answer = healthy;
  await setup.clock.advance(12_000);
  assert.equal(setup.authority.status().breaker, "closed");
});

for (const code of [400, 413, 500]) {
  test(`fault 76: made-up tokens that the authority answers with ${code} do not open the breaker`, async (t) => {
    const setup = setUpAuthority(t);
    setup.authority.start();
    setup.answer = (token, signal) => (token.startsWith("made-up") ? status(code) : healthy(token, signal));
    await setup.clock.advance(10);
    for (let i = 0; i < 50; i++) {
      const outcome = setup.authority.ask(`made-up-${i}`, { lane: "unknown" });
      await setup.clock.advance(100);
      assert.equal((await outcome).status, "unavailable");
    }
    assert.equal(setup.authority.status().breaker, "closed");
    assert.equal((await setup.askAndAdvance(1)).status, "yes");
  });
}

test("fault 76: every optional member of an answer may be null, and counts as absent", async (t) => {
  const setup = setUpAuthority(t);
  const names = ["scope", "aud", "jti", "sid", "iss", "exp", "nbf", "iat", "cnf", "scp", "client_id"];
  setup.answer = () =>
    Response.json({ active: true, sub: "alice", ...Object.fromEntries(names.map((n) => [n, null])) });
  assert.deepEqual(await setup.askAndAdvance(1), { status: "yes", claims: { sub: "alice" } });
});

test("fault 76: the guard asks twice about a token with unusable answers, then pauses for five seconds", async (t) => {
  const clock = new FakeClock();
  const issuer = "https://id.example";
  const mint = await createMint({ issuer, audience: "api", clock });
  const asked: string[] = [];
  const fetch = async (_url: string, { body }: RequestInit) => {
    const token = new URLSearchParams(body as string).get("token") ?? "";
    if (token.startsWith("holdfast-probe-")) return no();
    asked.push(token);
    return odd();
  };
  const authority = introspection({
    url: `${issuer}/i`,
    clientId: "x",
    clientSecret: "y",
    opaque: true,
    fetch,
  });
  const options = { issuer, audience: "api", authority, keys: staticKeys(mint.jwks()), clock };
  const [strict, lax] = [createGuard(options), createGuard({ ...options, degraded: "local" })];
  t.after(async () => void (await Promise.all([strict.close(), lax.close()])));
  for (const token of [mint.token(), "opaque-token-with-odd-answers"]) {
    asked.length = 0;
    for (let i = 0; i < 50; i++) assert.equal((await strict.validate(token)).status, "unavailable");
    assert.equal(asked.length, 2);
    await clock.advance(5_000);
    assert.equal((await strict.validate(token)).status, "unavailable");
    assert.equal(asked.length, 3);
  }
  const token = mint.token();
  for (let i = 0; i < 5; i++) {
    const verdict = await lax.validate(token);
    assert.ok(verdict.status === "valid" && verdict.degraded !== null, "the fallback still applies");
  }
});

test("fault 76: made-up opaque tokens leave places for known ones, which wait behind none of them", async (t) => {
  const setup = setUpAuthority(t, { maxConcurrent: 4 });
  setup.answer = after(setup.clock, 50, healthy);
  const garbage = Array.from({ length: 1_003 }, (_, i) =>
    setup.authority.ask(`garbage-${i}`, { lane: "unknown" }),
  );
  assert.ok(garbage.every((outcome) => outcome instanceof Promise));
  const further = setup.authority.ask("garbage-too-much", { lane: "unknown" });
  assert.ok("status" in further && further.status === "unavailable" && further.cause === "overloaded");
  const known = [1, 2, 3].map((i) => setup.authority.ask(`known-token-${i}`));
  await setup.clock.advance(50);
  assert.equal((await known[0])?.status, "yes");
  await setup.clock.advance(50);
  assert.deepEqual([(await known[1])?.status, (await known[2])?.status], ["yes", "yes"]);
});

test("fault 76: a question whose time ends in the guard's own queue is overloaded, and no failure of the authority", async (t) => {
  const setup = setUpAuthority(t, { maxConcurrent: 1 });
  setup.answer = after(setup.clock, 1_900, yes);
  const outcomes = Array.from({ length: 10 }, (_, i) => setup.authority.ask(`opaque-token-of-caller-${i}`));
  await setup.clock.advance(2_100);
  const said = (await Promise.all(outcomes.map(async (one) => await one))).map((o) =>
    o.status === "unavailable" ? o.cause : o.status,
  );
  assert.deepEqual(
    said.slice(2),
    Array.from({ length: 8 }, () => "overloaded"),
  );
  assert.equal(setup.authority.status().breaker, "closed");
  await setup.clock.advance(10_000);
  assert.equal(setup.asked.length, 2, "an ended question is not sent");
});

test("fault 25: soft timeout and latency count from the moment a question leaves, not from our own queue", async (t) => {
  const clock = new FakeClock();
  const issuer = "https://id.example";
  const mint = await createMint({ issuer, audience: "api", clock });
  const fetch = async (_url: string, { body }: RequestInit) => {
    const isProbe = (new URLSearchParams(body as string).get("token") ?? "").startsWith("holdfast-probe-");
    await new Promise<void>((resolve) => void clock.after(50, resolve));
    return isProbe ? no() : Response.json({ active: true });
  };
  const authority = introspection({
    url: `${issuer}/i`,
    clientId: "x",
    clientSecret: "y",
    maxConcurrent: 1,
    fetch,
  });
  const keys = staticKeys(mint.jwks());
  const guard = createGuard({ issuer, audience: "api", authority, keys, clock, degraded: "local" });
  t.after(async () => await guard.close());
  await clock.advance(60);
  const verdicts = Array.from({ length: 20 }, () => guard.validate(mint.token()));
  await clock.advance(1_100);
  for (const verdict of await Promise.all(verdicts)) {
    assert.ok(verdict.status === "valid" && verdict.degraded === null);
  }
  assert.equal(guard.status().issuers[0]?.authority?.softTimeoutMs, 150);
});

test("fault 22: a connection that breaks on its first request is tried again, while the authority is well", async (t) => {
  const setup = setUpAuthority(t);
  let requests = 0;
  const reset = () => {
    throw new TypeError("fetch failed", {
      cause: Object.assign(new Error("closed"), { code: "UND_ERR_SOCKET" }),
    });
  };
  setup.answer = (token, signal) => (requests++ % 2 === 0 ? reset() : healthy(token, signal));
  for (let i = 0; i < 40; i++) assert.equal((await setup.askAndAdvance(1)).status, "yes");
  assert.deepEqual([setup.asked.length, setup.events()], [80, []]);
  setup.answer = reset;
  const before = setup.asked.length;
  for (let i = 0; i < 20; i++) await setup.askAndAdvance(300);
  assert.ok(setup.asked.length - before <= 20, "an outage gets no free retries");
});
