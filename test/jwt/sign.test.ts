import assert from "node:assert/strict";
import { createPublicKey, verify } from "node:crypto";
import { test } from "node:test";
import { calculateJwkThumbprint, jwtVerify } from "jose";
import { algorithmFacts, asymmetricAlgorithms } from "../../src/jwt/algorithms.ts";
import { seededEntropy } from "../../src/testing/index.ts";
import { generateSigningKey, importSigningKey, signBytes, signToken } from "../../src/jwt/sign.ts";

for (const algorithm of asymmetricAlgorithms) {
  test(`${algorithm}: jose verifies the signature of a generated key`, async () => {
    const key = await generateSigningKey(algorithm);
    assert.equal(key.kid, await calculateJwkThumbprint(key.publicJwk));
    const token = signToken({ iss: "i", sub: "größe \u{1f600}", exp: 4_000_000_000 }, key);
    const { payload, protectedHeader } = await jwtVerify(token, key.publicJwk, {
      typ: "at+jwt",
      issuer: "i",
    });
    assert.deepEqual(payload, { iss: "i", sub: "größe \u{1f600}", exp: 4_000_000_000 });
    assert.deepEqual(protectedHeader, { alg: algorithm, kid: key.kid, typ: "at+jwt" });
  });
}

test("an EdDSA key is made of the entropy that was given, and of nothing else", async () => {
  const make = async (seed: number) => (await generateSigningKey("EdDSA", seededEntropy(seed))).privateJwk;
  assert.deepEqual(await make(1), await make(1));
  assert.notEqual((await make(1)).kid, (await make(2)).kid);
  assert.equal((await make(1))["d"], seededEntropy(1).bytes(32).toString("base64url"));
});

test("a public JWK contains no private member", async () => {
  for (const algorithm of ["ES256", "EdDSA", "RS256"] as const) {
    const { publicJwk, privateJwk } = await generateSigningKey(algorithm);
    for (const member of ["d", "p", "q", "dp", "dq", "qi", "k"]) {
      assert.equal(Object.hasOwn(publicJwk, member), false, member);
    }
    assert.ok(Object.hasOwn(privateJwk, "d"));
    assert.equal(publicJwk.use, "sig");
    assert.equal(publicJwk.alg, algorithm);
  }
});

test("a key that is exported as JSON and imported again signs under the same kid", async () => {
  const made = await generateSigningKey("ES256");
  const opened = importSigningKey(JSON.parse(JSON.stringify(made.privateJwk)) as Record<string, unknown>);
  assert.equal(opened.kid, made.kid);
  assert.deepEqual(opened.publicJwk, made.publicJwk);
  assert.deepEqual(opened.privateJwk, made.privateJwk);
  await jwtVerify(signToken({ sub: "s" }, opened), made.publicJwk);
});

test("a signing key that is damaged, public or of the wrong type is rejected, and the error does not reveal it", async () => {
  const { privateJwk, publicJwk } = await generateSigningKey("ES256");
  const wrong = [publicJwk, { ...privateJwk, kid: undefined }, { ...privateJwk, alg: "none" }];
  for (const jwk of [...wrong, { ...privateJwk, alg: "EdDSA" }, { ...privateJwk, x: "AAAA" }]) {
    assert.throws(
      () => importSigningKey(jwk),
      (error: Error & { code: string }) => {
        assert.equal(error.code, "invalid_key");
        assert.equal(JSON.stringify([error.message, error.cause]).includes(privateJwk["d"] as string), false);
        return true;
      },
    );
  }
  await assert.rejects(generateSigningKey("HS256"), { code: "invalid_key" });
});

test("an ECDSA signature has the length and the form that JOSE requires, whatever its leading zeros", async () => {
  for (const algorithm of ["ES256", "ES384", "ES512"] as const) {
    const { key, publicJwk } = await generateSigningKey(algorithm);
    const { hash, signatureBytes } = algorithmFacts(algorithm);
    const publicKey = createPublicKey({ key: publicJwk, format: "jwk" });
    // One integer in 256 has a leading zero byte, and a P-521 integer in two begins with a byte of zero.
    for (let i = 0; i < 400; i++) {
      const signature = signBytes(algorithm, key, `input ${i}`);
      assert.equal(signature.length, signatureBytes);
      const joseKey = { key: publicKey, dsaEncoding: "ieee-p1363" } as const;
      assert.ok(verify(hash, Buffer.from(`input ${i}`), joseKey, signature), `${algorithm} ${i}`);
    }
  }
});
