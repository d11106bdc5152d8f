import assert from "node:assert/strict";
import { test } from "node:test";
import { HoldfastError } from "../../src/core/errors.ts";
import { RevocationView } from "../../src/guard/revocations/view.ts";
import type { Issuer, TokenResponse } from "../../src/issuer/types.ts";
import type { Store } from "../../src/stores/store.ts";
import { claimsOf, createFixture, ISSUER_URL, logIn, sendRequest, validateAtIssuer } from "./fixture.ts";
import { wrapStore } from "./stores.ts";

const HOUR_MS = 3_600_000;
const LONG = { accessTokenTtlMs: 24 * HOUR_MS, refreshIdleMs: 48 * HOUR_MS };

/** Whether a guard that has just started refuses the token. */
async function isRevokedAtNewGuard(store: Store, { access_token: token }: TokenResponse): Promise<boolean> {
  const view = new RevocationView(ISSUER_URL, 1000);
  view.load(await store.revocations.snapshot());
  return view.isRevoked(claimsOf(token), undefined);
}

const ends: Readonly<Record<string, (issuer: Issuer, tokens: TokenResponse) => Promise<unknown>>> = {
  "an ended session": async (issuer, tokens) => await issuer.endSession(tokens.session_id),
  "a revoked token": async (issuer, tokens) =>
    await issuer.revoke({ kind: "token", id: String(claimsOf(tokens.access_token)["jti"]) }),
  "a revoked subject": async (issuer) => await issuer.revoke({ kind: "subject", id: "ann" }),
  "a reused refresh token": async (issuer, { refresh_token: token }) => {
    const next = await issuer.refresh(token);
    assert.ok(next.status === "ok");
    const third = await issuer.refresh(next.tokens.refresh_token);
    assert.ok(third.status === "ok");
    await issuer.refresh(third.tokens.refresh_token);
    assert.equal((await issuer.refresh(token)).status, "invalid_grant");
  },
};

for (const [what, end] of Object.entries(ends)) {
  test(`law 3: ${what} stays revoked for tokens from before the lifetime was lowered`, async () => {
    const { clock, store, issuer: before } = createFixture({ ...LONG, conflictMs: 0 });
    const tokens = await logIn(before);
    await before.close();
    const { issuer } = createFixture({ clock, store, conflictMs: 0 });
    await issuer.ready();
    await clock.advance(HOUR_MS);
    await end(issuer, tokens);
    await issuer.close();
    await clock.advance(22 * HOUR_MS);
    await store.prune();
    assert.equal(await isRevokedAtNewGuard(store, tokens), true);
  });
}

test("law 3: a process learns of the longer lifetime of another process that started later", async () => {
  const { clock, store, issuer } = createFixture();
  await issuer.ready();
  const { issuer: other } = createFixture({ clock, store, ...LONG });
  const tokens = await logIn(other);
  await clock.advance(1_000);
  await issuer.endSession(tokens.session_id);
  for (const one of [issuer, other]) await one.close();
  await clock.advance(23 * HOUR_MS);
  assert.equal(await isRevokedAtNewGuard(store, tokens), true);
});

test("law 3: a key that signed before the lifetime was lowered stays published until its last token has expired", async () => {
  const { clock, store, issuer: before } = createFixture(LONG);
  const tokens = await logIn(before);
  await before.close();
  const { issuer } = createFixture({ clock, store });
  await issuer.keys.rotate();
  await clock.advance(23 * HOUR_MS);
  assert.equal((await validateAtIssuer(issuer, tokens.access_token)).valid, true);
  const size = async () => {
    const response = await sendRequest(issuer, "GET", "/.well-known/jwks.json");
    return ((await response.json()) as { keys: unknown[] }).keys.length;
  };
  assert.equal(await size(), 3);
  await clock.advance(6 * HOUR_MS);
  assert.equal(await size(), 2, "the allowances are over, too");
  await issuer.close();
});

test("a revocation is as short as before when the last token of the longer lifetime has expired", async () => {
  const { clock, store, issuer: before } = createFixture(LONG);
  await before.ready();
  await before.close();
  const { issuer } = createFixture({ clock, store });
  await issuer.ready();
  await clock.advance(30 * HOUR_MS);
  await issuer.revoke({ kind: "token", id: "any" });
  const { entries } = await store.revocations.snapshot();
  assert.ok((entries.at(-1)?.revocation.until ?? 0) < clock.now() + 2 * HOUR_MS);
  await issuer.close();
});

test("law 3: a session ends with the last known lifetimes while the store cannot read them", async () => {
  const { clock, store, issuer: before } = createFixture(LONG);
  const tokens = await logIn(before);
  await before.close();
  let isFailing = false;
  const failing = wrapStore(store, async (name, work) => {
    if (isFailing && name === "markers.read") throw new HoldfastError("store_unavailable", "no answer");
    return await work();
  });
  const { issuer } = createFixture({ clock, store: failing });
  await issuer.revoke({ kind: "token", id: "any" });
  isFailing = true;
  await clock.advance(2_000);
  await issuer.endSession(tokens.session_id);
  await issuer.close();
  await clock.advance(22 * HOUR_MS);
  assert.equal(await isRevokedAtNewGuard(store, tokens), true);
});
