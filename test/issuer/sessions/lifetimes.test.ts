import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { IssuerOptions, TokenResponse } from "../../../src/issuer/types.ts";
import { claimsOf, createFixture, logIn, sendRequest } from "../fixture.ts";

const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;

/** An `authenticate` that lets everybody in, with these lifetimes. */
const withLifetimes = (lifetimes: object): NonNullable<IssuerOptions["authenticate"]> => {
  return ({ username }) => ({ subject: String(username), scopes: [], ...lifetimes });
};

async function logInWith(options: Partial<IssuerOptions>, body: object = {}) {
  const fixture = createFixture(options);
  const credentials = { username: "ann", password: "password of ann", ...body };
  const response = await sendRequest(fixture.issuer, "POST", "/auth/login", credentials);
  assert.equal(response.status, 200, await response.clone().text());
  return { ...fixture, tokens: (await response.json()) as TokenResponse };
}

test("a login can have a shorter idle time than others, and each refresh keeps it", async () => {
  const authenticate = withLifetimes({ idleMs: 20 * MINUTE_MS });
  const { clock, issuer, tokens } = await logInWith({ authenticate });
  assert.equal(tokens.refresh_token_expires_in, 1200);
  await clock.advance(19 * MINUTE_MS);
  const second = await issuer.refresh(tokens.refresh_token);
  assert.ok(second.status === "ok");
  assert.equal(second.tokens.refresh_token_expires_in, 1200);
  await clock.advance(20 * MINUTE_MS);
  assert.equal((await issuer.refresh(second.tokens.refresh_token)).status, "invalid_grant");
});

test("a login can have a shorter whole life than others, which no refresh extends", async () => {
  const authenticate = withLifetimes({ absoluteMs: 8 * HOUR_MS });
  const { clock, issuer, tokens } = await logInWith({ authenticate });
  let { refresh_token: refreshToken } = tokens;
  for (let hours = 1; hours < 8; hours++) {
    await clock.advance(HOUR_MS);
    const outcome = await issuer.refresh(refreshToken);
    assert.ok(outcome.status === "ok");
    assert.equal(outcome.tokens.refresh_token_expires_in, (8 - hours) * 3600);
    refreshToken = outcome.tokens.refresh_token;
  }
  await clock.advance(HOUR_MS);
  assert.equal((await issuer.refresh(refreshToken)).status, "invalid_grant");
});

test("lifetimes of a login only shorten those of the issuer, whatever they are", async () => {
  const lifetime = fc.option(fc.integer({ min: 1000, max: 200 * 24 * HOUR_MS }), { nil: undefined });
  await fc.assert(
    fc.asyncProperty(lifetime, lifetime, fc.boolean(), async (idleMs, absoluteMs, isShort) => {
      const body = isShort ? { remember: false } : {};
      const { clock, store, tokens } = await logInWith(
        { authenticate: withLifetimes({ idleMs, absoluteMs }) },
        body,
      );
      const session = await store.sessions.get(tokens.session_id);
      assert.ok(session !== null);
      const longest = isShort
        ? { idle: HOUR_MS, absolute: 12 * HOUR_MS }
        : { idle: 30 * 24 * HOUR_MS, absolute: 90 * 24 * HOUR_MS };
      const absolute = Math.min(longest.absolute, absoluteMs ?? Infinity);
      assert.equal(session.absoluteExpiresAt - session.authAt, absolute);
      assert.equal(session.idleMs, Math.min(longest.idle, idleMs ?? Infinity, absolute));
      const { exp, iat } = claimsOf(tokens.access_token) as { exp: number; iat: number };
      assert.ok(exp - iat <= session.idleMs / 1000, "an access token does not outlive the idle time");
      assert.ok(exp * 1000 <= session.absoluteExpiresAt && iat * 1000 <= clock.now());
    }),
    { numRuns: 60 },
  );
});

test("lifetimes that are no whole milliseconds of at least a second make the login unavailable", async () => {
  for (const idleMs of [999, 0, -1, 1.5, NaN, "600000", null]) {
    const { issuer } = createFixture({ authenticate: withLifetimes({ idleMs }) });
    const outcome = await issuer.login({ username: "ann" });
    assert.equal(outcome.status, "unavailable", String(idleMs));
  }
});

test("remember: false asks for a short session, and any other value of it is refused or changes nothing", async () => {
  const shortSession = { idleMs: 10 * MINUTE_MS, absoluteMs: HOUR_MS };
  const short = await logInWith({ shortSession }, { remember: false });
  assert.equal(short.tokens.refresh_token_expires_in, 600);
  const usual = await logInWith({ shortSession }, { remember: true });
  assert.equal(usual.tokens.refresh_token_expires_in, 30 * 86_400);
  const { issuer } = createFixture({ authenticate: undefined as never });
  const wrong = { username: "ann", password: "password of ann", remember: "no" };
  const response = await sendRequest(issuer, "POST", "/auth/login", wrong);
  assert.equal(response.status, 400);
  assert.match(await response.text(), /remember: must be a boolean/);
});

test("the option shortSession is checked by name", () => {
  for (const wrong of [
    {},
    { idleMs: 1000 },
    { idleMs: 2000, absoluteMs: 1000 },
    { idleMs: 1, absoluteMs: 1000 },
    null,
  ]) {
    assert.throws(() => createFixture({ shortSession: wrong as never }), {
      code: "invalid_option",
      message: /^createIssuer: shortSession/,
    });
  }
});

test("a short session does not shorten other sessions of the same user", async () => {
  const { issuer } = createFixture();
  const credentials = { username: "ann", password: "password of ann" };
  await issuer.login({ ...credentials, remember: false });
  assert.equal((await logIn(issuer)).refresh_token_expires_in, 30 * 86_400);
});
