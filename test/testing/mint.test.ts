import assert from "node:assert/strict";
import { test } from "node:test";
import { supportedAlgorithms } from "../../src/jwt/algorithms.ts";
import { checkTime, createClaimsPolicy } from "../../src/jwt/claims.ts";
import { importJwkSet, importSecret } from "../../src/jwt/jwk-set.ts";
import { parseToken } from "../../src/jwt/parse.ts";
import { verifyWithKey } from "../../src/jwt/verify.ts";
import { createMint, FakeClock, type Mint } from "../../src/testing/index.ts";

const issuer = "https://id.example.com";
const audience = "https://api.example.com";
const policy = createClaimsPolicy({ issuer, audience, requireTyp: true });

function reasonFor(mint: Mint, token: string, nowMs: number): string | null {
  const parsed = parseToken(token);
  if ("reason" in parsed) return parsed.reason;
  const key =
    mint.secret === null ? importJwkSet(mint.jwks()).keys[0] : importSecret(mint.secret, mint.algorithm);
  assert.ok(key);
  assert.equal(parsed.kid, mint.kid);
  return verifyWithKey(parsed, key, policy) ?? checkTime(parsed.claims, nowMs, 0);
}

for (const algorithm of supportedAlgorithms) {
  test(`tokens of a mint for ${algorithm} verify until they expire`, async () => {
    const clock = new FakeClock();
    const mint = await createMint({ issuer, audience, algorithm, clock, lifetimeMs: 60_000 });
    const token = mint.token({ sub: "someone" });
    assert.equal(reasonFor(mint, token, clock.now()), null);
    assert.equal(reasonFor(mint, token, clock.now() + 59_999), null);
    assert.equal(reasonFor(mint, token, clock.now() + 60_000), "expired");
    const other = await createMint({ issuer, audience, algorithm, clock });
    if (other.kid === undefined) assert.equal(reasonFor(other, token, clock.now()), "bad_signature");
    else assert.notEqual(other.kid, mint.kid);
  });
}

test("claims and header members can be replaced and removed", async () => {
  const clock = new FakeClock();
  const mint = await createMint({ issuer, audience, clock });
  const reason = (...args: Parameters<Mint["token"]>) => reasonFor(mint, mint.token(...args), clock.now());
  assert.equal(reason({ exp: undefined }), "missing_claim");
  assert.equal(reason({ aud: "https://other.example.com" }), "wrong_audience");
  assert.equal(reason({}, { typ: undefined }), "wrong_type");
  assert.equal(reason({}, { crit: ["exp"] }), "unknown_critical");
  assert.equal(reasonFor(mint, mint.sign('{"alg":"ES256"}', "[]"), clock.now()), "malformed");
});

test("a mint with the key of another signs with the same key", async () => {
  const clock = new FakeClock();
  const mint = await createMint({ issuer, audience, clock });
  const again = await createMint({ issuer, audience, clock, key: mint.privateJwk ?? {} });
  assert.equal(again.kid, mint.kid);
  assert.equal(reasonFor(mint, again.token(), clock.now()), null);
  const publicJwk = mint.jwks().keys[0] ?? {};
  await assert.rejects(createMint({ issuer, audience, key: publicJwk }), { code: "invalid_key" });
  await assert.rejects(createMint({ issuer, audience, algorithm: "RS256", key: again.privateJwk ?? {} }), {
    message: /key must be a key for RS256/,
  });
});
