import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { introspection } from "../../src/guard/authority/introspection.ts";
import { createGuard, jwks } from "../../src/index.ts";
import { createProvider, FakeClock } from "../../src/testing/index.ts";
import { audience, makeFixture } from "./fixture.ts";

const tooOld = (maxAuthAgeMs: number) => ({
  status: "invalid",
  reason: "insufficient_user_authentication",
  maxAuthAgeMs,
});

test("law 9: the age of the login is decided at each call, from the same remembered result", async () => {
  const { clock, guard, mint } = await makeFixture();
  const g = guard();
  const token = mint.token({ auth_time: Math.floor(clock.now() / 1000) - 100 });
  const rules = { maxAuthAgeMs: 300_000 };
  assert.equal((await g.authorize(token, rules)).status, "valid");
  await clock.advance(201_000);
  assert.deepEqual(await g.authorize(token, rules), tooOld(300_000));
  assert.equal((await g.validate(token)).status, "valid", "the token is good where no rule bounds the age");
  assert.equal((await g.authorize(token, { maxAuthAgeMs: 600_000 })).status, "valid");
});

test("a token that does not tell when its user logged in is refused under a bound", async () => {
  const { clock, guard, mint } = await makeFixture();
  const g = guard();
  const nowS = Math.floor(clock.now() / 1000);
  for (const auth_time of [undefined, null, String(nowS), true, [nowS], nowS + 60]) {
    const decision = await g.authorize(mint.token({ auth_time }), { maxAuthAgeMs: 60_000 });
    assert.deepEqual(decision, tooOld(60_000), String(auth_time));
  }
  const slightlyAhead = mint.token({ auth_time: nowS + 4 });
  assert.equal((await g.authorize(slightlyAhead, { maxAuthAgeMs: 60_000 })).status, "valid");
});

test("law 9: a call narrows the guard's bound on the age of the login and never widens it", async () => {
  const { clock, guard, mint } = await makeFixture();
  await fc.assert(
    fc.asyncProperty(
      fc.option(fc.integer({ min: 1, max: 100 }), { nil: undefined }),
      fc.option(fc.integer({ min: 1, max: 100 }), { nil: undefined }),
      fc.integer({ min: 0, max: 120 }),
      async (guardS, routeS, ageS) => {
        const g = guard(guardS === undefined ? {} : { maxAuthAgeMs: guardS * 1000 });
        const token = mint.token({ auth_time: Math.floor(clock.now() / 1000) - ageS });
        const rules = routeS === undefined ? {} : { maxAuthAgeMs: routeS * 1000 };
        const bound = Math.min(guardS ?? Infinity, routeS ?? Infinity);
        const decision = await g.authorize(token, rules);
        if (ageS <= bound) assert.equal(decision.status, "valid");
        else assert.deepEqual(decision, tooOld(bound * 1000));
        await g.close();
      },
    ),
    { numRuns: 40 },
  );
});

test("a bound that is no whole number of at least a second is refused, by name", async () => {
  const { guard, mint } = await makeFixture();
  for (const maxAuthAgeMs of [0, 999, -1, 1.5, NaN, Infinity, "300000", null]) {
    const wrong = { maxAuthAgeMs } as { maxAuthAgeMs: number };
    await assert.rejects(async () => await guard().authorize(mint.token(), wrong), {
      code: "invalid_option",
      message: /^authorize: maxAuthAgeMs must be a whole number of at least 1000/,
    });
    assert.throws(() => guard(wrong), { message: /^createGuard: maxAuthAgeMs must be a whole number/ });
  }
});

test("law 1: after a clock step, a login that is recent by one time only is 503 and not 401", async () => {
  const { clock, guard, mint } = await makeFixture();
  const g = guard();
  const rules = { maxAuthAgeMs: 300_000 };
  const token = mint.token({ auth_time: Math.floor(clock.now() / 1000), exp: 4_000_000_000 });
  assert.equal((await g.authorize(token, rules)).status, "valid");
  clock.setWall(clock.now() + 3_600_000);
  const decision = await g.authorize(token, rules);
  assert.ok(decision.status === "unavailable" && decision.cause === "clock_uncertain");
  await clock.advance(61_000);
  assert.deepEqual(await g.authorize(token, rules), tooOld(300_000), "the step is accepted after a minute");
});

test("the authority supplies the time of a login that the token does not name", async (t) => {
  const clock = new FakeClock();
  const provider = await createProvider({ audience, clock });
  const { clientId, clientSecret, issuer, fetch } = provider;
  let authTime: number | undefined = Math.floor(clock.now() / 1000) - 10;
  const withAuthTime: typeof fetch = async (input, init) => {
    const response = await fetch(input, init);
    const answer = (await response.json()) as object;
    return Response.json({ ...answer, auth_time: authTime }, { status: response.status });
  };
  const url = provider.url("introspection");
  const authority = introspection({ url, clientId, clientSecret, fetch: withAuthTime });
  const keys = jwks(provider.url("jwks"), { fetch });
  const guard = createGuard({ issuer, audience, keys, authority, clock, degraded: "local" });
  t.after(async () => await guard.close());
  await guard.ready();
  const rules = { maxAuthAgeMs: 60_000 };
  assert.equal((await guard.authorize(provider.token(), rules)).status, "valid");
  authTime = undefined;
  assert.deepEqual(await guard.authorize(provider.token(), rules), tooOld(60_000));
  provider.fault("introspection", { status: 500 });
  const unknown = await guard.authorize(provider.token(), rules);
  assert.equal(unknown.status, "unavailable", "law 1: the authority might have known it");
  const old = provider.token({ auth_time: Math.floor(clock.now() / 1000) - 100 });
  assert.deepEqual(await guard.authorize(old, rules), tooOld(60_000), "the token itself proves its age");
});
