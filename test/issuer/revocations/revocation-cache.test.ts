import assert from "node:assert/strict";
import { test } from "node:test";
import type { Revocation } from "../../../src/core/revocation.ts";
import { claimsOf, createFixture, ISSUER_URL, logIn, validateAtIssuer } from "../fixture.ts";

const MINUTE_MS = 60_000;

for (const kind of ["token", "subject"] as const) {
  test(`law 3: a later revocation of the same ${kind} with an earlier end does not shorten the first one`, async () => {
    const { clock, store, issuer } = createFixture({ accessTokenTtlMs: 60 * MINUTE_MS });
    const { access_token: token } = await logIn(issuer);
    const { jti, sub, iat } = claimsOf(token) as { jti: string; sub: string; iat: number };
    const append = async (minutes: number) => {
      const common = { issuer: ISSUER_URL, until: clock.now() + minutes * MINUTE_MS };
      const revocation: Revocation =
        kind === "token" ? { kind, id: jti, ...common } : { kind, id: sub, before: iat, ...common };
      await store.revocations.append(revocation);
    };
    await append(120);
    await append(1);
    const revoked = { valid: false, reason: "revoked" };
    assert.deepEqual(await validateAtIssuer(issuer, token), revoked);
    await clock.advance(10 * MINUTE_MS);
    // A new entry makes the issuer forget revocations that are over.
    await issuer.revoke({ kind: "token", id: "another" });
    assert.deepEqual(await validateAtIssuer(issuer, token), revoked);
    await store.revocations.append({ kind: "key", id: "a key", issuer: ISSUER_URL, until: clock.now() });
    assert.deepEqual(await validateAtIssuer(issuer, token), revoked);
  });
}
