import assert from "node:assert/strict";
import { test } from "node:test";
import type { Revocation } from "../../../src/core/revocation.ts";
import { claimsOf, createFixture, ISSUER_URL, logIn, validateAtIssuer } from "../fixture.ts";
import { wrapStore } from "../stores.ts";

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

test("an issuer forgets a revocation within a minute of its end, so that it does not keep all of them", async () => {
  const { clock, store, issuer } = createFixture({ accessTokenTtlMs: 60 * MINUTE_MS });
  const { access_token: token } = await logIn(issuer);
  const { jti } = claimsOf(token) as { jti: string };
  const until = clock.now() + 5 * MINUTE_MS;
  await store.revocations.append({ kind: "token", id: jti, issuer: ISSUER_URL, until });
  assert.deepEqual(await validateAtIssuer(issuer, token), { valid: false, reason: "revoked" });
  await clock.advance(6 * MINUTE_MS);
  await issuer.revoke({ kind: "token", id: "another" });
  // Only a forgotten revocation lets the token pass, because its end lies before that of the token.
  assert.equal((await validateAtIssuer(issuer, token)).valid, true);
});

test("law 3: a revocation from before a call is not overlooked when the log was replaced meanwhile", async () => {
  const { clock, store } = createFixture();
  const counted = wrapStore(store, async (name, call) => {
    if (name === "revocations.after" && gaps-- > 0) return { status: "gap" };
    const answer = await call();
    if (name === "revocations.snapshotPage") await duringLoad();
    return answer;
  });
  let gaps = 0;
  let duringLoad = async () => {};
  const { issuer } = createFixture({ clock, store: counted });
  const { access_token: token } = await logIn(issuer);
  const { jti } = claimsOf(token) as { jti: string };
  assert.equal((await validateAtIssuer(issuer, token)).valid, true);
  gaps = 1;
  duringLoad = async () => {
    duringLoad = async () => {};
    await store.revocations.append({
      kind: "token",
      id: jti,
      issuer: ISSUER_URL,
      until: clock.now() + MINUTE_MS,
    });
  };
  assert.deepEqual(await validateAtIssuer(issuer, token), { valid: false, reason: "revoked" });
  gaps = Infinity;
  assert.equal(
    "valid" in (await validateAtIssuer(issuer, token)),
    false,
    "law 1: a log that cannot be read proves nothing",
  );
  gaps = 0;
  assert.deepEqual(await validateAtIssuer(issuer, token), { valid: false, reason: "revoked" });
});

test("an issuer with clients reads its log when it is opened, and answers although that fails", async () => {
  const { clock, store } = createFixture();
  let reads = 0;
  const counted = wrapStore(store, async (name, call) => {
    if (name === "revocations.snapshotPage" && ++reads === 1) throw new Error("the disk failed");
    return await call();
  });
  const { issuer } = createFixture({ clock, store: counted });
  await issuer.ready();
  await clock.advance(0);
  assert.equal(reads, 1);
  const { access_token: token } = await logIn(issuer);
  assert.equal((await validateAtIssuer(issuer, token)).valid, true);
  assert.equal(reads, 2);
});
