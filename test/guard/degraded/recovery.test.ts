import assert from "node:assert/strict";
import { test } from "node:test";
import { createGuard, introspection, jwks, staticKeys, type Guard } from "../../../src/index.ts";
import { createProvider } from "../../../src/testing/index.ts";
import {
  audience,
  degradedVerdict,
  makeFixture,
  minute,
  noAnswer,
  describeDecision,
  settleWithin,
} from "./fixture.ts";

const authority = (guard: Guard, index = 0) => guard.status().issuers[index]?.authority;

test("law 11: after recovery each token from degraded mode is asked about on its next use, at most 64 at once", async (t) => {
  const { guard, provider, clock, asked, maxInFlight } = await makeFixture(t);
  const g = guard({ degraded: "local" });
  await g.ready();
  provider.fault("introspection", { refuse: true });
  await clock.advance(15_000);
  const tokens = Array.from({ length: 300 }, () => provider.token());
  for (const token of tokens) assert.equal(describeDecision(await g.validate(token)), degradedVerdict);
  const revoked = tokens[7] as string;
  provider.revoke(revoked);
  assert.deepEqual(asked, [], "the breaker was open");
  provider.restore();
  await clock.advance(minute);
  assert.equal(authority(g)?.breaker, "closed");
  assert.deepEqual(asked, [], "only the probe went");
  provider.fault("introspection", { latencyMs: 20 });
  for (let i = 0; i < 10; i++) {
    const calls = Promise.all(tokens.map(async (token) => await g.validate(token)));
    await clock.advance(100);
    assert.ok((await calls).every(({ status }) => status !== "unavailable"));
  }
  assert.deepEqual([asked.length, new Set(asked)], [tokens.length, new Set(tokens)], "each of them once");
  assert.ok(maxInFlight() <= 64);
  for (const token of tokens) {
    assert.equal(describeDecision(await g.validate(token)), token === revoked ? "invalid: revoked" : "valid");
  }
});

test("fault 23: during recovery only the probe asks, and a thousand callers get their verdicts at once", async (t) => {
  const { guard, provider, clock, asked } = await makeFixture(t);
  const g = guard({ degraded: "local" });
  await g.ready();
  provider.fault("introspection", { refuse: true });
  await clock.advance(15_000);
  provider.fault("introspection", { latencyMs: 1_900 });
  while (authority(g)?.breaker !== "half-open") await clock.advance(100);
  const outcomes = await Promise.all(
    Array.from({ length: 1_000 }, async () => describeDecision(await g.validate(provider.token()))),
  );
  assert.deepEqual([...new Set(outcomes)], [degradedVerdict]);
  assert.deepEqual(asked, []);
});

test("law 10: degraded_began and degraded_ended are emitted once each, not for each token", async (t) => {
  const { guard, provider, clock, events } = await makeFixture(t);
  const g = guard({ degraded: "local" });
  await g.ready();
  const told = () => events().filter((event) => event.startsWith("degraded"));
  assert.equal(describeDecision(await g.validate(provider.token())), "valid");
  assert.deepEqual(told(), []);
  for (let outage = 0; outage < 2; outage++) {
    provider.fault("introspection", { refuse: true });
    for (let i = 0; i < 50; i++) await g.validate(provider.token());
    assert.deepEqual(told(), ["degraded_began"]);
    await clock.advance(15_000);
    for (let i = 0; i < 50; i++) await g.validate(provider.token());
    provider.restore();
    await clock.advance(minute);
    for (let i = 0; i < 50; i++) assert.equal(describeDecision(await g.validate(provider.token())), "valid");
    assert.deepEqual(told(), ["degraded_ended"]);
  }
  assert.equal(g.status().issuers[0]?.degradedDecisions, 200);
});

test("an authority that is slow for every tenth token does not flood the log", async (t) => {
  const { guard, provider, clock, events } = await makeFixture(t);
  const g = guard({ degraded: "local" });
  await g.ready();
  let question = 0;
  provider.fault("introspection", { latencyMs: () => (question++ % 10 === 0 ? 200 : 5) });
  const calls: Promise<unknown>[] = [];
  for (let i = 0; i < 300; i++) {
    calls.push(g.validate(provider.token()));
    await clock.advance(10);
  }
  await clock.advance(1_000);
  await Promise.all(calls);
  const told = events().filter((event) => event.startsWith("degraded"));
  assert.ok((g.status().issuers[0]?.degradedDecisions ?? 0) >= 1);
  assert.ok(told.length <= 2, told.join());
});

test("an authority that hangs does not slow down the tokens of another issuer", async (t) => {
  const { clock, provider } = await makeFixture(t);
  const lost = await createProvider({
    issuer: "https://lost.example",
    audience,
    clock,
    lifetimeMs: 3_600_000,
  });
  const trusted = [provider, lost].map((one) => ({
    issuer: one.issuer,
    audience,
    keys: staticKeys(one.jwks()),
    authority: introspection({
      url: one.url("introspection"),
      clientId: one.clientId,
      clientSecret: one.clientSecret,
      fetch: one.fetch,
    }),
  }));
  const g = createGuard({ issuers: trusted, degraded: "local", clock, name: t.name });
  t.after(async () => await g.close());
  await g.ready();
  lost.fault("all", { hang: true });
  const [good, hanging] = [provider.token(), lost.token()];
  const waiting = g.validate(hanging);
  assert.equal(describeDecision(await g.validate(good)), "valid");
  assert.equal(describeDecision(await settleWithin(clock, 80, waiting)), degradedVerdict);
  await clock.advance(minute);
  assert.equal(describeDecision(await g.validate(provider.token())), "valid");
  assert.equal(describeDecision(await g.validate(lost.token())), degradedVerdict);
  const { state, issuers } = g.status();
  assert.deepEqual([state, ...issuers.map((one) => one.state)], ["degraded", "ready", "degraded"]);
  assert.equal(authority(g, 0)?.breaker, "closed");
  assert.notEqual(authority(g, 1)?.breaker, "closed");
});

test("forceBreaker opens and closes the breaker by hand, and null returns it to automatic operation", async (t) => {
  const { guard, provider, clock, asked } = await makeFixture(t);
  const g = guard({ degraded: { mode: "local", maxMs: 5 * minute } });
  await g.ready();
  g.forceBreaker("open");
  const token = provider.token();
  assert.equal(describeDecision(await g.validate(token)), degradedVerdict);
  assert.equal(describeDecision(await g.authorize(token, { degraded: "deny" })), noAnswer);
  assert.equal(g.status().state, "degraded");
  await clock.advance(5 * minute + 1);
  assert.equal(
    describeDecision(await g.validate(provider.token())),
    noAnswer,
    "maxMs also bounds a breaker that was opened by hand",
  );
  assert.equal(g.status().state, "unavailable");
  assert.deepEqual(asked, []);
  g.forceBreaker(null);
  await clock.advance(0);
  assert.equal(describeDecision(await g.validate(token)), "valid");
  assert.equal(g.status().state, "ready");
  g.forceBreaker("closed");
  provider.fault("introspection", { refuse: true });
  for (let i = 0; i < 20; i++) {
    assert.equal(describeDecision(await g.validate(provider.token())), degradedVerdict);
    await clock.advance(1_000);
  }
  assert.equal(new Set(asked).size, 21);
  g.forceBreaker(null);
  await clock.advance(15_000);
  assert.notEqual(authority(g)?.breaker, "closed");
});

test("after distrustKeys no token of the old keys is accepted, also when its call was in flight", async (t) => {
  const { guard, provider, clock } = await makeFixture(t);
  const keys = jwks(provider.url("jwks"), { fetch: provider.fetch });
  const g = guard({ degraded: "local", keys });
  await g.ready();
  const [token, asking] = [provider.token(), provider.token()];
  provider.fault("introspection", { refuse: true });
  assert.equal(describeDecision(await g.validate(token)), degradedVerdict);
  provider.fault("introspection", { latencyMs: 50 });
  const call = g.authorize(asking, { degraded: "deny" });
  await clock.advance(10);
  provider.fault("jwks", { refuse: true });
  g.distrustKeys();
  assert.match(describeDecision(await settleWithin(clock, 100, call)), /^unavailable: key/);
  for (const one of [token, asking]) {
    const outcome = describeDecision(await g.validate(one));
    assert.ok(!/^(valid|degraded)/.test(outcome), outcome);
  }
});

test("close answers calls in flight with closed, accepts no token and leaves no timer", async (t) => {
  const { guard, provider, clock, events } = await makeFixture(t);
  const g = guard({ degraded: "local" });
  await g.ready();
  provider.fault("introspection", { hang: true });
  const calls = [provider.token(), provider.opaqueToken()].map(async (token) => await g.validate(token));
  await clock.advance(10);
  await g.close();
  for (const call of calls) assert.equal(describeDecision(await call), "unavailable: closed");
  await clock.advance(0);
  assert.equal(clock.pending, 0);
  assert.equal(describeDecision(await g.validate(provider.token())), "unavailable: closed");
  assert.ok(!events().includes("degraded_began"));
  assert.equal(g.status().state, "closed");
});
