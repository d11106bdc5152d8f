import assert from "node:assert/strict";
import { test } from "node:test";
import { createGuard, introspection, jwks, staticKeys, type Guard } from "../../../src/index.ts";
import { createProvider } from "../../../src/testing/index.ts";
import { audience, letIn, makeWorld, minute, out, short, within } from "./fixture.ts";

const authority = (guard: Guard, index = 0) => guard.status().issuers[index]?.authority;

test("law 11: after recovery everything that was let in is asked about on its next use, at most 64 at once, nothing in between", async (t) => {
  const { guard, provider, clock, asked, mostAtOnce } = await makeWorld(t);
  const g = guard({ degraded: "local" });
  await g.ready();
  provider.fault("introspection", { refuse: true });
  await clock.advance(15_000);
  const tokens = Array.from({ length: 300 }, () => provider.token());
  for (const token of tokens) assert.equal(short(await g.validate(token)), letIn);
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
  assert.ok(mostAtOnce() <= 64);
  for (const token of tokens) {
    assert.equal(short(await g.validate(token)), token === revoked ? "invalid: revoked" : "valid");
  }
});

test("fault 23: it answers again while a thousand callers wait: nobody but the probe goes, and everybody has a verdict at once", async (t) => {
  const { guard, provider, clock, asked } = await makeWorld(t);
  const g = guard({ degraded: "local" });
  await g.ready();
  provider.fault("introspection", { refuse: true });
  await clock.advance(15_000);
  provider.fault("introspection", { latencyMs: 1_900 });
  while (authority(g)?.breaker !== "half-open") await clock.advance(100);
  const outcomes = await Promise.all(
    Array.from({ length: 1_000 }, async () => short(await g.validate(provider.token()))),
  );
  assert.deepEqual([...new Set(outcomes)], [letIn]);
  assert.deepEqual(asked, []);
});

test("law 10: that tokens are let in is told when it begins and when it ends, once each, not for each token", async (t) => {
  const { guard, provider, clock, events } = await makeWorld(t);
  const g = guard({ degraded: "local" });
  await g.ready();
  const told = () => events().filter((event) => event.startsWith("degraded"));
  assert.equal(short(await g.validate(provider.token())), "valid");
  assert.deepEqual(told(), []);
  for (let outage = 0; outage < 2; outage++) {
    provider.fault("introspection", { refuse: true });
    for (let i = 0; i < 50; i++) await g.validate(provider.token());
    assert.deepEqual(told(), ["degraded_began"]);
    await clock.advance(15_000);
    for (let i = 0; i < 50; i++) await g.validate(provider.token());
    provider.restore();
    await clock.advance(minute);
    for (let i = 0; i < 50; i++) assert.equal(short(await g.validate(provider.token())), "valid");
    assert.deepEqual(told(), ["degraded_ended"]);
  }
  assert.equal(g.status().issuers[0]?.degradedDecisions, 200);
});

test("an authority that is slow about every tenth token does not flood the log", async (t) => {
  const { guard, provider, clock, events } = await makeWorld(t);
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

test("two issuers, one of them in a black hole: the other's tokens do not notice", async (t) => {
  const { clock, provider } = await makeWorld(t);
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
  assert.equal(short(await g.validate(good)), "valid");
  assert.equal(short(await within(clock, 80, waiting)), letIn);
  await clock.advance(minute);
  assert.equal(short(await g.validate(provider.token())), "valid");
  assert.equal(short(await g.validate(lost.token())), letIn);
  const { state, issuers } = g.status();
  assert.deepEqual([state, ...issuers.map((one) => one.state)], ["degraded", "ready", "degraded"]);
  assert.equal(authority(g, 0)?.breaker, "closed");
  assert.notEqual(authority(g, 1)?.breaker, "closed");
});

test("forceBreaker: held open nobody is asked and the policy decides; held closed everybody is asked; null gives it back", async (t) => {
  const { guard, provider, clock, asked } = await makeWorld(t);
  const g = guard({ degraded: { mode: "local", maxMs: 5 * minute } });
  await g.ready();
  g.forceBreaker("open");
  const token = provider.token();
  assert.equal(short(await g.validate(token)), letIn);
  assert.equal(short(await g.authorize(token, { degraded: "deny" })), out);
  assert.equal(g.status().state, "degraded");
  await clock.advance(5 * minute + 1);
  assert.equal(short(await g.validate(provider.token())), out, "by hand or not, maxMs is the bound");
  assert.equal(g.status().state, "unavailable");
  assert.deepEqual(asked, []);
  g.forceBreaker(null);
  await clock.advance(0);
  assert.equal(short(await g.validate(token)), "valid");
  assert.equal(g.status().state, "ready");
  g.forceBreaker("closed");
  provider.fault("introspection", { refuse: true });
  for (let i = 0; i < 20; i++) {
    assert.equal(short(await g.validate(provider.token())), letIn);
    await clock.advance(1_000);
  }
  assert.equal(new Set(asked).size, 21);
  g.forceBreaker(null);
  await clock.advance(15_000);
  assert.notEqual(authority(g)?.breaker, "closed");
});

test("distrustKeys: what the issuer's keys proved is not let in, whatever the authority says or does not say", async (t) => {
  const { guard, provider, clock } = await makeWorld(t);
  const keys = jwks(provider.url("jwks"), { fetch: provider.fetch });
  const g = guard({ degraded: "local", keys });
  await g.ready();
  const [token, asking] = [provider.token(), provider.token()];
  provider.fault("introspection", { refuse: true });
  assert.equal(short(await g.validate(token)), letIn);
  provider.fault("introspection", { latencyMs: 50 });
  const call = g.authorize(asking, { degraded: "deny" });
  await clock.advance(10);
  provider.fault("jwks", { refuse: true });
  g.distrustKeys();
  assert.match(short(await within(clock, 100, call)), /^unavailable: key/);
  for (const one of [token, asking]) {
    const outcome = short(await g.validate(one));
    assert.ok(!/^(valid|degraded)/.test(outcome), outcome);
  }
});

test("close: questions under way hear that it is closed, nobody is let in by that, and no timer is left", async (t) => {
  const { guard, provider, clock, events } = await makeWorld(t);
  const g = guard({ degraded: "local" });
  await g.ready();
  provider.fault("introspection", { hang: true });
  const calls = [provider.token(), provider.opaqueToken()].map(async (token) => await g.validate(token));
  await clock.advance(10);
  await g.close();
  for (const call of calls) assert.equal(short(await call), "unavailable: closed");
  await clock.advance(0);
  assert.equal(clock.pending, 0);
  assert.equal(short(await g.validate(provider.token())), "unavailable: closed");
  assert.ok(!events().includes("degraded_began"));
  assert.equal(g.status().state, "closed");
});
