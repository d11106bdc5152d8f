import assert from "node:assert/strict";
import { generateKeyPairSync, type JsonWebKey } from "node:crypto";
import { test } from "node:test";
import { asymmetricAlgorithms } from "../../src/jwt/algorithms.ts";
import { importJwkSet, importSecret } from "../../src/jwt/jwk-set.ts";
import { generateSigningKey, type Jwk } from "../../src/jwt/sign.ts";

const rsa = (await generateSigningKey("RS256")).publicJwk;
const ec = (await generateSigningKey("ES256")).publicJwk;
const ed = (await generateSigningKey("EdDSA")).publicJwk;

function without(jwk: Jwk, ...names: string[]): Record<string, unknown> {
  return Object.fromEntries(Object.entries(jwk).filter(([name]) => !names.includes(name)));
}

function refusal(jwk: unknown): string | undefined {
  const { keys, rejected } = importJwkSet({ keys: [jwk] });
  assert.equal(keys.length === 0, rejected.length === 1);
  return rejected[0]?.reason;
}

test("a key serves the algorithm that it names, or the one that its kind allows", () => {
  const { keys, rejected } = importJwkSet({ keys: [rsa, ec, ed, without(ec, "alg", "kid", "use")] });
  assert.deepEqual(rejected, []);
  assert.deepEqual(
    keys.map(({ kid, algorithm }) => [kid, algorithm]),
    [
      [rsa.kid, "RS256"],
      [ec.kid, "ES256"],
      [ed.kid, "EdDSA"],
      [undefined, "ES256"],
    ],
  );
});

test("an RSA key that names no algorithm serves each accepted RS and PS algorithm", () => {
  const set = { keys: [without(rsa, "alg")] };
  const served = importJwkSet(set).keys.map(({ algorithm }) => algorithm);
  assert.deepEqual(
    served,
    asymmetricAlgorithms.filter((name) => /^[RP]S/.test(name)),
  );
  const narrowed = importJwkSet(set, { algorithms: ["PS256", "ES256"] }).keys;
  assert.deepEqual(
    narrowed.map(({ algorithm, key }) => [algorithm, key.asymmetricKeyType]),
    [["PS256", "rsa-pss"]],
  );
});

test("what is not accepted here is rejected, and says why", () => {
  const { keys, rejected } = importJwkSet({ keys: [ec, rsa] }, { algorithms: ["RS256"] });
  assert.deepEqual(
    keys.map(({ kid }) => kid),
    [rsa.kid],
  );
  assert.deepEqual(rejected, [{ index: 0, reason: "is not of a kind that serves an accepted algorithm" }]);
});

test("private keys and secrets in a public set are refused, also when they are accepted elsewhere", async () => {
  const { privateJwk } = await generateSigningKey("ES256");
  assert.match(refusal(privateJwk) ?? "", /private/);
  assert.match(refusal({ kty: "oct", k: "AAAA" }) ?? "", /secret/);
  assert.match(refusal({ ...ec, k: "AAAA" }) ?? "", /secret/);
  const { keys } = importJwkSet({ keys: [{ kty: "oct", k: "A".repeat(64) }] }, { algorithms: ["HS256"] });
  assert.deepEqual(keys, []);
});

test("keys for another use are refused", () => {
  assert.match(refusal({ ...ec, use: "enc" }) ?? "", /use/);
  assert.match(refusal({ ...ec, key_ops: ["sign"] }) ?? "", /key_ops/);
  assert.match(refusal({ ...ec, key_ops: "verify" }) ?? "", /key_ops/);
  assert.equal(refusal({ ...ec, key_ops: ["verify"] }), undefined);
  assert.match(refusal({ ...rsa, alg: "RSA-OAEP" }) ?? "", /algorithm/);
  assert.match(refusal({ ...rsa, alg: "none" }) ?? "", /algorithm/);
  assert.match(refusal({ ...rsa, alg: "HS256" }) ?? "", /kind/);
  assert.match(refusal({ ...ec, alg: "ES384" }) ?? "", /kind/);
});

test("weak RSA keys are refused: short, long, with an even exponent or 1", () => {
  for (const [bits, pattern] of [
    [1024, /modulus of 1024 bits/],
    [2040, /modulus of 2040 bits/],
  ] as const) {
    const { publicKey } = generateKeyPairSync("rsa", { modulusLength: bits });
    assert.match(refusal(publicKey.export({ format: "jwk" })) ?? "", pattern);
  }
  const n = Buffer.alloc(8200 / 8, 0xff).toString("base64url");
  assert.match(refusal({ ...rsa, n }) ?? "", /modulus of 8200 bits/);
  for (const e of ["AA", "AQ", "Ag", "AQAA"]) assert.match(refusal({ ...rsa, e }) ?? "", /exponent/, e);
});

test("malformed keys and points off their curve are refused", () => {
  const text = (bytes: number, value: number) => Buffer.alloc(bytes, value).toString("base64url");
  const malformed: unknown[] = [
    { ...ec, x: text(32, 1) },
    { ...ec, y: undefined },
    { ...ec, x: 5 },
    { ...rsa, n: undefined },
    { ...ed, x: text(31, 1) },
  ];
  for (const jwk of malformed) assert.match(refusal(jwk) ?? "", /malformed/);
  for (const jwk of [null, "key", 1, []]) assert.ok(refusal(jwk));
  assert.match(refusal({ ...ec, crv: "P-384" }) ?? "", /kind/);
  assert.match(refusal({ ...ec, crv: "secp256k1", alg: undefined }) ?? "", /kind/);
  assert.match(refusal({ ...ed, crv: "X25519" }) ?? "", /kind/);
  assert.match(refusal({ ...ec, kid: 7 }) ?? "", /kid/);
});

test("Ed25519 keys that verify anybody's signature are refused: the points of small order", () => {
  // y of the points of order 1, 2, 4, 8, little-endian, with both signs of x.
  const small = [
    `01${"00".repeat(31)}`,
    `ec${"ff".repeat(30)}7f`,
    "00".repeat(32),
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
  ];
  // The same again as y + p, and no point at all.
  const odd = [`ed${"ff".repeat(30)}7f`, `ee${"ff".repeat(30)}7f`, `02${"00".repeat(31)}`];
  for (const hex of [...small, ...odd]) {
    for (const sign of [0, 0x80]) {
      const point = Buffer.from(hex, "hex");
      point[31] = (point[31] as number) | sign;
      assert.match(refusal({ ...ed, x: point.toString("base64url") }) ?? "", /small order/, hex);
    }
  }
});

test("every Ed25519 key that node:crypto makes is accepted", () => {
  for (let i = 0; i < 20; i++) {
    const jwk: JsonWebKey = generateKeyPairSync("ed25519").publicKey.export({ format: "jwk" });
    assert.equal(refusal(jwk), undefined);
  }
});

test("fault 27: two different keys with one kid are both refused; the same key twice is one", async () => {
  const other = { ...(await generateSigningKey("ES256")).publicJwk, kid: ec.kid };
  const { keys, rejected } = importJwkSet({ keys: [ec, rsa, other] });
  assert.deepEqual(
    keys.map(({ kid }) => kid),
    [rsa.kid],
  );
  assert.deepEqual(
    rejected.map(({ index, reason }) => [index, reason]),
    [
      [0, "shares its kid with another key"],
      [2, "shares its kid with another key"],
    ],
  );
  assert.equal(importJwkSet({ keys: [ec, { ...ec, ext: true }] }).keys.length, 1);
  const twoUses = importJwkSet({ keys: [rsa, { ...rsa, alg: "PS256" }] }).keys;
  assert.deepEqual(
    twoUses.map(({ algorithm }) => algorithm),
    ["RS256", "PS256"],
  );
});

test("fault 27: an unusable key does not take the good key with its kid along", () => {
  const { keys } = importJwkSet({ keys: [{ ...rsa, kid: ec.kid, use: "enc" }, ec] });
  assert.deepEqual(
    keys.map(({ kid }) => kid),
    [ec.kid],
  );
});

test("fault 27: what is no set at all, or has more than 100 keys, throws; an empty set is empty", () => {
  for (const set of [null, [], "<html>", {}, { keys: {} }, { keys: null }, undefined, 1]) {
    assert.throws(() => importJwkSet(set), { code: "invalid_key" });
  }
  assert.throws(() => importJwkSet({ keys: Array(101).fill(ec) }), { code: "invalid_key", message: /100/ });
  assert.deepEqual(importJwkSet({ keys: [] }), { keys: [], rejected: [] });
});

test("a shared secret is at least as long as its digest, and serves HMAC only", () => {
  const lengths = { HS256: 32, HS384: 48, HS512: 64 } as const;
  for (const [algorithm, length] of Object.entries(lengths) as [keyof typeof lengths, number][]) {
    assert.equal(importSecret(Buffer.alloc(length, 1), algorithm).algorithm, algorithm);
    assert.throws(() => importSecret(Buffer.alloc(length - 1, 1), algorithm), {
      code: "invalid_key",
      message: `a secret for ${algorithm} must have at least ${length} bytes; got ${length - 1}`,
    });
  }
  assert.throws(() => importSecret(Buffer.alloc(64, 1), "ES256"), { code: "invalid_key" });
});
