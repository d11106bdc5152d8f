import assert from "node:assert/strict";
import { before, test } from "node:test";
import { checkTime, createClaimsPolicy } from "../../src/jwt/claims.ts";
import { importJwkSet, importSecret, type VerificationKey } from "../../src/jwt/jwk-set.ts";
import { parseToken } from "../../src/jwt/parse.ts";
import { verifyWithKey } from "../../src/jwt/verify.ts";
import { createMint, type Mint } from "../../src/testing/index.ts";

const issuer = "https://id.example.com";
const audience = "https://api.example.com";
const policy = createClaimsPolicy({ issuer, audience });
const mints: { mint: Mint; key: VerificationKey }[] = [];

before(async () => {
  for (const algorithm of ["ES256", "RS256", "EdDSA", "HS256", "PS256"] as const) {
    const mint = await createMint({ issuer, audience, algorithm });
    const key =
      mint.secret === null ? importJwkSet(mint.jwks()).keys[0] : importSecret(mint.secret, algorithm);
    assert.ok(key);
    mints.push({ mint, key });
  }
});

function reasonOf(token: string, key: VerificationKey): string | null {
  const parsed = parseToken(token);
  if ("reason" in parsed) return parsed.reason;
  return verifyWithKey(parsed, key, policy) ?? checkTime(parsed.claims, Date.now(), 0);
}

test("the signature is checked before the claims, so that a forger learns nothing about them", () => {
  for (const { mint, key } of mints) {
    const token = mint.token({ iss: "https://evil.example.com" });
    assert.equal(reasonOf(token, key), "wrong_issuer");
    const [head, , signature] = token.split(".");
    const claims = Buffer.from('{"iss":"https://other.example.com"}').toString("base64url");
    assert.equal(reasonOf(`${head}.${claims}.${signature}`, key), "bad_signature");
  }
});

test("a key verifies only tokens of its own algorithm", () => {
  for (const { mint, key } of mints) {
    for (const other of mints.filter((one) => one.mint !== mint)) {
      assert.equal(reasonOf(mint.token(), other.key), "wrong_algorithm");
    }
    assert.equal(reasonOf(mint.token(), key), null);
  }
});

test("a token signed with the public key as a secret is rejected", () => {
  const rsa = mints.find(({ mint }) => mint.algorithm === "RS256");
  const hmac = mints.find(({ mint }) => mint.algorithm === "HS256");
  assert.ok(rsa && hmac);
  assert.equal(reasonOf(hmac.mint.token({}, { kid: rsa.mint.kid }), rsa.key), "wrong_algorithm");
});
