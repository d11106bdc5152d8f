import assert from "node:assert/strict";
import { createSecretKey } from "node:crypto";
import { before, test } from "node:test";
import fc from "fast-check";
import { jwtVerify, type JWK } from "jose";
import { checkTime, proofPolicy } from "../../src/jwt/claims.ts";
import { importJwkSet, importSecret, type VerificationKey } from "../../src/jwt/jwk-set.ts";
import { parseToken } from "../../src/jwt/parse.ts";
import { prove } from "../../src/jwt/prove.ts";
import { createMint, type Mint } from "../../src/testing/index.ts";

const issuer = "https://id.example.com";
const audience = "https://api.example.com";
const policy = proofPolicy({ issuer, audience });
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

function ours(token: string, key: VerificationKey): string | null {
  const parsed = parseToken(token);
  if ("reason" in parsed) return parsed.reason;
  return prove(parsed, key, policy) ?? checkTime(parsed.claims, Date.now(), 0);
}

test("the signature is checked before the claims, so that a forger learns nothing about them", () => {
  for (const { mint, key } of mints) {
    const token = mint.token({ iss: "https://evil.example.com" });
    assert.equal(ours(token, key), "wrong_issuer");
    const [head, , signature] = token.split(".");
    const claims = Buffer.from('{"iss":"https://other.example.com"}').toString("base64url");
    assert.equal(ours(`${head}.${claims}.${signature}`, key), "bad_signature");
  }
});

test("a key proves only tokens of the algorithm that it was declared for", () => {
  for (const { mint, key } of mints) {
    for (const other of mints.filter((one) => one.mint !== mint)) {
      assert.equal(ours(mint.token(), other.key), "wrong_algorithm");
    }
    assert.equal(ours(mint.token(), key), null);
  }
});

test("the public key taken for a secret proves nothing", () => {
  const rsa = mints.find(({ mint }) => mint.algorithm === "RS256");
  const hmac = mints.find(({ mint }) => mint.algorithm === "HS256");
  assert.ok(rsa && hmac);
  assert.equal(ours(hmac.mint.token({}, { kid: rsa.mint.kid }), rsa.key), "wrong_algorithm");
});

test("what jose refuses is refused here: headers, claims and damage of every kind", async () => {
  const odd = fc.constantFrom<unknown>(
    undefined,
    null,
    0,
    -1,
    1e308,
    "",
    "x",
    [],
    ["x"],
    {},
    true,
    issuer,
    audience,
    "jwt",
  );
  // Each kind of oddity is there in half of the runs or fewer, so that many tokens are good.
  const rarely = { freq: 2, nil: {} };
  const members = fc.constantFrom("typ", "kid", "alg", "crit", "b64", "jwk");
  const header = fc.option(fc.dictionary(members, odd, { maxKeys: 2 }), rarely);
  const names = fc.constantFrom("iss", "aud", "exp", "nbf", "iat", "sub", "cnf", "x");
  const claims = fc.option(fc.dictionary(names, odd, { maxKeys: 3 }), rarely);
  const noise = fc.constantFrom("", "A", ".", "=", " ", "é", "_", "+");
  const damage = fc.option(fc.record({ at: fc.nat(1200), by: noise }), { freq: 2 });
  let accepted = 0;
  let refused = 0;
  await fc.assert(
    fc.asyncProperty(fc.nat(4), header, claims, damage, async (pick, h, c, d) => {
      const { mint, key } = mints[pick] as (typeof mints)[number];
      const made = mint.token(c, h);
      const token = d === null ? made : made.slice(0, d.at) + d.by + made.slice(d.at + 1);
      const theirKey =
        mint.secret === null ? (mint.jwks().keys[0] as unknown as JWK) : createSecretKey(mint.secret);
      const options = { issuer, audience, algorithms: [mint.algorithm], requiredClaims: ["exp", "sub"] };
      const theirs = await jwtVerify(token, theirKey, options).then(
        () => "accepted",
        () => "refused",
      );
      if (theirs === "refused") {
        refused++;
        assert.notEqual(ours(token, key), null);
      } else if (ours(token, key) === null) accepted++;
    }),
    { numRuns: 600, examples: [[0, {}, {}, null]] },
  );
  assert.ok(accepted > 20 && refused > 20, `${accepted} accepted, ${refused} refused`);
});
