import assert from "node:assert/strict";
import crypto from "node:crypto";
import { syncBuiltinESMExports } from "node:module";
import { test, type TestContext } from "node:test";
import { bearerHeader, createFixture, logIn, sendRequest, validateAtIssuer } from "../fixture.ts";

/** Counts the signatures that the process verifies from now on. */
function countVerifications(t: TestContext): () => number {
  const spy = t.mock.method(crypto, "verify");
  syncBuiltinESMExports();
  t.after(() => {
    spy.mock.restore();
    syncBuiltinESMExports();
  });
  return () => spy.mock.callCount();
}

test("law 7: the signature of a token is verified once, however often services ask about it", async (t) => {
  const { issuer } = createFixture();
  const [ann, bob] = [await logIn(issuer), await logIn(issuer, "bob")];
  const verifications = countVerifications(t);
  for (let i = 0; i < 3; i++) {
    assert.equal((await validateAtIssuer(issuer, ann.access_token)).valid, true);
    assert.equal((await validateAtIssuer(issuer, bob.access_token)).valid, true);
  }
  assert.equal(verifications(), 2);
});

test("law 9: a remembered token ends with its time and with its session", async (t) => {
  const { issuer, clock } = createFixture();
  const [ann, bob] = [await logIn(issuer), await logIn(issuer, "bob")];
  for (const { access_token } of [ann, bob]) {
    assert.equal((await validateAtIssuer(issuer, access_token)).valid, true);
  }
  const verifications = countVerifications(t);
  const loggedOut = await sendRequest(issuer, "POST", "/auth/logout", {}, bearerHeader(ann));
  assert.equal(loggedOut.status, 204);
  assert.deepEqual(await validateAtIssuer(issuer, ann.access_token), { valid: false, reason: "revoked" });
  assert.equal((await validateAtIssuer(issuer, bob.access_token)).valid, true);
  assert.equal(verifications(), 0);
  await clock.advance(3_600_000);
  assert.deepEqual(await validateAtIssuer(issuer, bob.access_token), { valid: false, reason: "expired" });
});

test("a token that differs from a remembered one in a single character is verified and refused", async () => {
  const { issuer } = createFixture();
  const { access_token } = await logIn(issuer);
  assert.equal((await validateAtIssuer(issuer, access_token)).valid, true);
  const [header = "", payload = "", signature = ""] = access_token.split(".");
  const other = `${header}.${payload}.${signature.startsWith("A") ? "B" : "A"}${signature.slice(1)}`;
  assert.deepEqual(await validateAtIssuer(issuer, other), { valid: false, reason: "bad_signature" });
});
