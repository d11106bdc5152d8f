import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { auditEvents } from "../../../src/core/event-channels.ts";
import type { AuditEvent } from "../../../src/core/events.ts";
import type { Issuer, TokenResponse } from "../../../src/issuer/types.ts";
import type { Store } from "../../../src/stores/store.ts";
import { BASIC, bearerHeader, createFixture, ISSUER_URL, logIn, sendRequest } from "../fixture.ts";
import { failStore, stores } from "../stores.ts";

const REPEATS = 100;
const PARALLEL = 20;
const DAY_MS = 86_400_000;

async function sendForm(issuer: Issuer, path: string, form: Record<string, string>): Promise<Response> {
  const headers = { "Content-Type": "application/x-www-form-urlencoded" };
  const body = new URLSearchParams(form).toString();
  return await issuer.fetch(new Request(new URL(path, ISSUER_URL), { method: "POST", headers, body }));
}

async function logOut(issuer: Issuer, { refresh_token }: TokenResponse): Promise<Response> {
  return await sendRequest(issuer, "POST", "/auth/logout", { refresh_token });
}

/** What a stranger can do with the tokens of a session. */
const uses: Readonly<Record<string, (issuer: Issuer, tokens: TokenResponse) => Promise<unknown>>> = {
  refresh: async (issuer, { refresh_token }) =>
    await sendRequest(issuer, "POST", "/auth/refresh", { refresh_token }),
  logout: logOut,
  "logout by access token": async (issuer, tokens) =>
    await sendRequest(issuer, "POST", "/auth/logout", undefined, bearerHeader(tokens)),
  "logout-all": async (issuer, { refresh_token }) =>
    await sendRequest(issuer, "POST", "/auth/logout-all", { refresh_token }),
  "the refresh grant": async (issuer, { refresh_token }) =>
    await sendForm(issuer, "/oauth/token", { grant_type: "refresh_token", refresh_token }),
  "revocation of the refresh token": async (issuer, { refresh_token: token }) =>
    await sendForm(issuer, "/oauth/revoke", { token }),
  "revocation of the access token": async (issuer, { access_token: token }) =>
    await sendForm(issuer, "/oauth/revoke", { token }),
  introspection: async (issuer, { refresh_token: token }) =>
    await sendRequest(issuer, "POST", "/auth/validate", { token }, { Authorization: BASIC }),
};

/** The states in which a stranger may have got hold of the tokens. */
const states: Readonly<
  Record<string, { prepare?: (issuer: Issuer, tokens: TokenResponse) => Promise<unknown>; laterMs?: number }>
> = {
  live: {},
  spent: {
    prepare: async (issuer, { refresh_token }) => {
      let token = refresh_token;
      for (let i = 0; i < 3; i++) {
        const outcome = await issuer.refresh(token);
        if (outcome.status !== "ok") throw new Error(outcome.status);
        token = outcome.tokens.refresh_token;
      }
    },
    laterMs: 120_000,
  },
  ended: { prepare: async (issuer, { session_id }) => await issuer.endSession(session_id) },
  expired: { laterMs: 31 * DAY_MS },
  pruned: { laterMs: 100 * DAY_MS },
};

async function countWrites(store: Store): Promise<number> {
  const { entries } = await store.revocations.snapshot();
  return entries.length + (await store.audit.recent(10_000)).length;
}

for (const [name, open] of stores) {
  describe(`tokens that are presented again and again, on ${name}`, () => {
    for (const [state, { prepare = () => undefined, laterMs = 0 }] of Object.entries(states)) {
      test(`law 6, fault 78: a token that is ${state} writes at most once, however often it is presented`, async () => {
        await open(async (store, clock) => {
          const first = createFixture({ store, clock }).issuer;
          const sessions: TokenResponse[] = [];
          for (const _ of Object.keys(uses)) sessions.push(await logIn(first));
          for (const tokens of sessions) await prepare(first, tokens);
          // Without an issuer, no background work has to follow the clock.
          await first.close();
          await clock.advance(laterMs);
          await store.prune();
          const { issuer } = createFixture({ store, clock });
          for (const [i, [what, use]] of Object.entries(uses).entries()) {
            const tokens = sessions[i] ?? assert.fail();
            const before = await countWrites(store);
            await Promise.all(Array.from({ length: PARALLEL }, async () => await use(issuer, tokens)));
            const once = await countWrites(store);
            // One entry of the revocation log and one or two audit events.
            assert.ok(once - before <= 3, `${what} at once wrote ${once - before}`);
            for (let repeat = 0; repeat < REPEATS; repeat++) await use(issuer, tokens);
            assert.equal(await countWrites(store), once, `${what}, again`);
          }
          await issuer.close();
        });
      });
    }
  });
}

test("law 12: a logout that was not durable is written when it is repeated", async () => {
  for (const [, open] of stores) {
    await open(async (working, clock) => {
      let isFailing = false;
      const store = failStore(working, (name) => (isFailing && name === "sessions.end" ? "before" : false));
      const { issuer } = createFixture({ store, clock });
      const tokens = await logIn(issuer);
      isFailing = true;
      assert.equal((await logOut(issuer, tokens)).status, 503);
      isFailing = false;
      assert.equal((await logOut(issuer, tokens)).status, 204);
      assert.equal((await store.revocations.snapshot()).entries.length, 1);
    });
  }
});

test("law 6: refused logins are recorded up to a budget, and the number of the others is told", async () => {
  const { issuer, store, clock } = createFixture();
  let published = 0;
  const count = (event: unknown) => {
    if ((event as AuditEvent).kind === "login_refused") published++;
  };
  auditEvents.subscribe(count);
  try {
    for (let i = 0; i < 1000; i++) {
      const outcome = await issuer.login({ username: "ann", password: "wrong" }, { source: `10.0.0.${i}` });
      assert.equal(outcome.status, "denied");
    }
    assert.equal(published, 300);
    await clock.advance(6000);
    await issuer.login({ username: "ann", password: "wrong" }, { source: "192.0.2.1" });
  } finally {
    auditEvents.unsubscribe(count);
  }
  const [latest] = await store.audit.recent(1);
  assert.equal(latest?.detail, "700 events of this kind were left out before this one");
  assert.equal((await store.audit.recent(2000)).length, 301);
});
