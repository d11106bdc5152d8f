import assert from "node:assert/strict";
import { constants, sign, type KeyObject } from "node:crypto";
import { before, test } from "node:test";
import fc from "fast-check";
import { supportedAlgorithms, asymmetricAlgorithms, type Algorithm } from "../../src/jwt/algorithms.ts";
import { importJwkSet, importSecret, type VerificationKey } from "../../src/jwt/jwk-set.ts";
import { parseToken, type ParsedToken } from "../../src/jwt/parse.ts";
import { verifySignature } from "../../src/jwt/signature.ts";
import { createMint } from "../../src/testing/index.ts";
import { generateSigningKey } from "../../src/jwt/sign.ts";

interface Signed {
  readonly token: ParsedToken;
  readonly key: VerificationKey;
}

const signed = new Map<Algorithm, Signed>();

before(async () => {
  for (const algorithm of supportedAlgorithms) {
    const mint = await createMint({ issuer: "i", audience: "a", algorithm });
    const token = parseToken(mint.token());
    assert.ok(!("reason" in token));
    const key =
      mint.secret === null ? importJwkSet(mint.jwks()).keys[0] : importSecret(mint.secret, algorithm);
    assert.ok(key);
    signed.set(algorithm, { token, key });
  }
});

function get(algorithm: Algorithm): Signed {
  return signed.get(algorithm) as Signed;
}

for (const algorithm of supportedAlgorithms) {
  test(`${algorithm}: a valid signature verifies, and a changed, shortened, lengthened or empty one does not`, () => {
    const { token, key } = get(algorithm);
    assert.equal(verifySignature(token, key), true);
    const { signature } = token;
    const zero = Buffer.alloc(1);
    const others = [
      Buffer.alloc(0),
      signature.subarray(1),
      signature.subarray(0, -1),
      Buffer.concat([signature, zero]),
      Buffer.concat([zero, signature]),
      Buffer.alloc(signature.length),
      Buffer.alloc(signature.length, 0xff),
    ];
    for (const other of others) assert.equal(verifySignature({ ...token, signature: other }, key), false);
    fc.assert(
      fc.property(fc.nat(signature.length * 8 - 1), (bit) => {
        const flipped = Buffer.from(signature);
        flipped[bit >> 3] = (flipped[bit >> 3] as number) ^ (1 << (bit & 7));
        assert.equal(verifySignature({ ...token, signature: flipped }, key), false);
      }),
      { numRuns: 20 },
    );
  });

  test(`${algorithm}: a key verifies no other algorithm, whatever the header says`, () => {
    const { token, key } = get(algorithm);
    for (const other of supportedAlgorithms.filter((one) => one !== algorithm)) {
      assert.equal(verifySignature({ ...token, algorithm: other }, key), false, other);
      assert.equal(verifySignature(get(other).token, key), false, other);
    }
  });
}

test("a public key never serves as an HMAC secret", () => {
  for (const algorithm of asymmetricAlgorithms) {
    const { key } = get(algorithm);
    const forged = { ...get("HS256").token, algorithm: "HS256" as const };
    assert.equal(verifySignature(forged, key), false);
  }
});

test("ECDSA: r and s must satisfy 1 ≤ r, s < n, so 0, n and s + n are rejected", () => {
  const orders: Partial<Record<Algorithm, string>> = {
    ES256: "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551",
    ES384: "ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973",
    ES512:
      "01fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffa51868783bf2f966b7fcc0148f709a5d03bb5c9b8899c47aebb6fb71e91386409",
  };
  for (const [algorithm, hex] of Object.entries(orders)) {
    const { token, key } = get(algorithm as Algorithm);
    const order = BigInt(`0x${hex}`);
    const half = hex.length / 2;
    const bytes = (value: bigint) =>
      Buffer.from(value.toString(16).padStart(hex.length, "0").slice(-hex.length), "hex");
    const r = token.signature.subarray(0, half);
    const s = token.signature.subarray(half);
    for (const wrong of [0n, order, order + BigInt(`0x${s.toString("hex")}`)]) {
      assert.equal(verifySignature({ ...token, signature: Buffer.concat([r, bytes(wrong)]) }, key), false);
      assert.equal(verifySignature({ ...token, signature: Buffer.concat([bytes(wrong), s]) }, key), false);
    }
  }
});

test("ECDSA: every signature of node:crypto verifies, also one with leading zeros", async () => {
  for (const algorithm of ["ES256", "ES384", "ES512"] as const) {
    const { key, publicJwk } = await generateSigningKey(algorithm);
    const [verificationKey] = importJwkSet({ keys: [publicJwk] }).keys;
    assert.ok(verificationKey);
    let short = 0;
    for (let i = 0; i < 4000 && short < 1; i++) {
      const signingInput = `input ${i}`;
      const hash = `sha${algorithm.slice(2)}`;
      const signature = sign(hash, Buffer.from(signingInput), { key, dsaEncoding: "ieee-p1363" });
      const skipped = algorithm === "ES512" ? 1 : 0;
      const leading = signature[skipped] === 0 || signature[signature.length / 2 + skipped] === 0;
      if (leading) short++;
      if (leading || i < 20) {
        assert.equal(verifySignature({ algorithm, signingInput, signature }, verificationKey), true);
      }
    }
    assert.ok(short > 0);
  }
});

test("a PS signature whose salt is not as long as the digest is rejected (RFC 7518 §3.5)", async () => {
  const { key, publicJwk } = await generateSigningKey("PS256");
  const [verificationKey] = importJwkSet({ keys: [publicJwk] }).keys;
  assert.ok(verificationKey);
  for (const saltLength of [0, 20, 31, 32, 33, 48, 222]) {
    const signature = pss("sha256", key, saltLength);
    const token = { algorithm: "PS256", signingInput: "input", signature } as const;
    assert.equal(verifySignature(token, verificationKey), saltLength === 32, `${saltLength}`);
  }
  const otherHash = { algorithm: "PS256", signingInput: "input", signature: pss("sha384", key, 32) } as const;
  assert.equal(verifySignature(otherHash, verificationKey), false);
});

test("an RSA signature without its leading zero is rejected, because it must be as long as the modulus (RFC 8017 §8.1.2)", async () => {
  const { key, publicJwk } = await generateSigningKey("PS256");
  const [verificationKey] = importJwkSet({ keys: [publicJwk] }).keys;
  assert.ok(verificationKey);
  let signature = pss("sha256", key, 32);
  for (let i = 0; i < 10_000 && signature[0] !== 0; i++) signature = pss("sha256", key, 32);
  assert.equal(signature[0], 0);
  const token = { algorithm: "PS256", signingInput: "input" } as const;
  assert.equal(verifySignature({ ...token, signature }, verificationKey), true);
  assert.equal(verifySignature({ ...token, signature: signature.subarray(1) }, verificationKey), false);
});

function pss(hash: string, key: KeyObject, saltLength: number): Buffer {
  return sign(hash, Buffer.from("input"), { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength });
}
