import assert from "node:assert/strict";
import {
  checkPrimeSync,
  generateKeyPairSync,
  generatePrimeSync,
  randomInt,
  type JsonWebKey,
} from "node:crypto";
import { test } from "node:test";
import { asymmetricAlgorithms, isAlgorithm } from "../../src/jwt/algorithms.ts";
import { importJwkSet, importSecret } from "../../src/jwt/jwk-set.ts";
import { parseToken } from "../../src/jwt/parse.ts";
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

test("a key serves the algorithm that it names, or the one that its type allows", () => {
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

test("a key of an algorithm that is not accepted is rejected with its reason", () => {
  const { keys, rejected } = importJwkSet({ keys: [ec, rsa] }, { algorithms: ["RS256"] });
  assert.deepEqual(
    keys.map(({ kid }) => kid),
    [rsa.kid],
  );
  assert.deepEqual(rejected, [{ index: 0, reason: "is not of a kind that serves an accepted algorithm" }]);
});

test("private keys and secrets in a public set are rejected, even when their algorithm is accepted", async () => {
  const { privateJwk } = await generateSigningKey("ES256");
  assert.match(refusal(privateJwk) ?? "", /private/);
  assert.match(refusal({ kty: "oct", k: "AAAA" }) ?? "", /secret/);
  assert.match(refusal({ ...ec, k: "AAAA" }) ?? "", /secret/);
  const { keys } = importJwkSet({ keys: [{ kty: "oct", k: "A".repeat(64) }] }, { algorithms: ["HS256"] });
  assert.deepEqual(keys, []);
});

test("keys for another use are rejected", () => {
  assert.match(refusal({ ...ec, use: "enc" }) ?? "", /use/);
  assert.match(refusal({ ...ec, key_ops: ["sign"] }) ?? "", /key_ops/);
  assert.match(refusal({ ...ec, key_ops: "verify" }) ?? "", /key_ops/);
  assert.equal(refusal({ ...ec, key_ops: ["verify"] }), undefined);
  assert.match(refusal({ ...rsa, alg: "RSA-OAEP" }) ?? "", /algorithm/);
  assert.match(refusal({ ...rsa, alg: "none" }) ?? "", /algorithm/);
  assert.match(refusal({ ...rsa, alg: "HS256" }) ?? "", /kind/);
  assert.match(refusal({ ...ec, alg: "ES384" }) ?? "", /kind/);
});

test("each member of a private key alone is reason enough for a rejection, for every key type", () => {
  for (const member of ["d", "p", "q", "dp", "dq", "qi", "oth", "priv"]) {
    for (const jwk of [rsa, ec, ed])
      assert.match(refusal({ ...jwk, [member]: "AQAB" }) ?? "", /private/, member);
  }
});

test("an ML-DSA key names its algorithm and has the length of that algorithm (RFC 9964 §3)", async (t) => {
  if (!isAlgorithm("ML-DSA-44")) {
    const pub = Buffer.alloc(1312).toString("base64url");
    const reason = "is for an algorithm that is not supported by this Node";
    assert.equal(refusal({ kty: "AKP", alg: "ML-DSA-44", pub }), reason);
    t.skip("this Node has no ML-DSA");
    return;
  }
  const { publicJwk: jwk, privateJwk } = await generateSigningKey("ML-DSA-44");
  assert.deepEqual(Object.keys(jwk).toSorted(), ["alg", "kid", "kty", "pub", "use"]);
  assert.equal(refusal(jwk), undefined);
  assert.match(refusal(privateJwk) ?? "", /private/);
  assert.match(refusal(without(jwk, "alg")) ?? "", /malformed/);
  assert.match(refusal({ ...jwk, alg: "ML-DSA-65" }) ?? "", /malformed/);
  assert.match(refusal({ ...jwk, alg: "ML-DSA-45" }) ?? "", /not supported$/);
  assert.match(refusal({ ...jwk, alg: "ES256" }) ?? "", /kind/);
  assert.match(refusal({ ...jwk, pub: `${String(jwk["pub"])}AAAA` }) ?? "", /malformed/);
});

test("RSA moduli that are easy to factor are rejected", () => {
  const prime = (bits: number) => generatePrimeSync(bits, { bigint: true });
  const nextPrime = (from: bigint) => {
    let n = from | 1n;
    while (!checkPrimeSync(n)) n += 2n;
    return n;
  };
  /** Primes of the generator of CVE-2017-15361: k · M + (65537^a mod M), where M is the product of small primes. */
  const flawedPrime = () => {
    const small = Array.from({ length: 700 }, (_, i) => BigInt(i + 2)).filter((n) => checkPrimeSync(n));
    const product = small.reduce((all, one) => all * one);
    let power = 1n;
    for (let i = 0; i < 1234 + randomInt(1000); i++) power = (power * 65_537n) % product;
    const spare = 1024n - BigInt(product.toString(2).length);
    for (let k = (3n << (spare - 2n)) + BigInt(randomInt(2 ** 40)); ; k++) {
      if (checkPrimeSync(k * product + power)) return k * product + power;
    }
  };
  const p = prime(1024);
  const cases: [bigint, RegExp][] = [
    [p * p, /close/],
    [p * nextPrime(p + 2n), /close/],
    [p * nextPrime(p + (1n << 514n)), /close/],
    [prime(2040) * 251n, /small prime factor/],
    [(prime(2047) * 2n) | (1n << 2047n), /small prime factor/],
    [flawedPrime() * flawedPrime(), /CVE-2017-15361/],
    [BigInt(`0x${"c0ffee01".repeat(64)}`), /repeated pattern/],
  ];
  for (const [modulus, pattern] of cases) {
    const n = Buffer.from(modulus.toString(16).padStart(512, "0"), "hex").toString("base64url");
    assert.match(refusal({ ...rsa, n }) ?? "", pattern);
  }
});

test("RSA keys that are too short or too long, or have an even exponent or 1, are rejected", () => {
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

test("malformed keys and points outside of their curve are rejected", () => {
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

test("Ed25519 points of small order are rejected, because signatures for them need no private key", () => {
  // y of the points of order 1, 2, 4, 8, little-endian, with both signs of x.
  const small = [
    `01${"00".repeat(31)}`,
    `ec${"ff".repeat(30)}7f`,
    "00".repeat(32),
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
  ];
  // Two of these points encoded as y + p, and a value that is not a point.
  const odd = [`ed${"ff".repeat(30)}7f`, `ee${"ff".repeat(30)}7f`, `02${"00".repeat(31)}`];
  for (const hex of [...small, ...odd]) {
    for (const sign of [0, 0x80]) {
      const point = Buffer.from(hex, "hex");
      point[31] = (point[31] as number) | sign;
      assert.match(refusal({ ...ed, x: point.toString("base64url") }) ?? "", /small order/, hex);
    }
  }
});

test("every Ed25519 key that node:crypto generates is accepted", () => {
  for (let i = 0; i < 20; i++) {
    const jwk: JsonWebKey = generateKeyPairSync("ed25519").publicKey.export({ format: "jwk" });
    assert.equal(refusal(jwk), undefined);
  }
});

test("fault 27: different keys may share one kid, and a duplicate of a key counts once", async () => {
  const other = { ...(await generateSigningKey("ES256")).publicJwk, kid: ec.kid };
  const { keys, rejected } = importJwkSet({ keys: [ec, rsa, other] });
  assert.deepEqual(
    keys.map(({ kid }) => kid),
    [ec.kid, rsa.kid, ec.kid],
  );
  assert.deepEqual(rejected, []);
  assert.equal(importJwkSet({ keys: [ec, { ...ec, ext: true }] }).keys.length, 1);
  const twoUses = importJwkSet({ keys: [rsa, { ...rsa, alg: "PS256" }] }).keys;
  assert.deepEqual(
    twoUses.map(({ algorithm }) => algorithm),
    ["RS256", "PS256"],
  );
});

test("law 6: at most five keys of one kid and algorithm are kept", async () => {
  const published = await Promise.all(
    Array.from({ length: 7 }, async () => ({
      ...(await generateSigningKey("ES256")).publicJwk,
      kid: "same",
    })),
  );
  const { keys, rejected } = importJwkSet({ keys: [...published, { ...ec, kid: "same" }, rsa] });
  assert.deepEqual(
    keys.map(({ algorithm }) => algorithm),
    ["ES256", "ES256", "ES256", "ES256", "ES256", "RS256"],
  );
  assert.deepEqual(
    rejected.map(({ index, reason }) => [index, reason]),
    [5, 6, 7].map((index) => [index, "shares its kid with 5 other keys"]),
  );
});

test("fault 27: keys of different types may share a kid, because the algorithm tells them apart (RFC 7517 §4.5)", async () => {
  const shared = { ...rsa, kid: ec.kid };
  const { keys, rejected } = importJwkSet({ keys: [ec, shared, { ...ed, kid: ec.kid }] });
  assert.deepEqual(rejected, []);
  assert.deepEqual(
    keys.map(({ kid, algorithm }) => [kid, algorithm]),
    ["ES256", "RS256", "EdDSA"].map((algorithm) => [ec.kid, algorithm]),
  );
  const p384 = { ...(await generateSigningKey("ES384")).publicJwk, kid: ec.kid };
  const three = importJwkSet({ keys: [ec, p384, shared] });
  assert.deepEqual(
    three.keys.map(({ algorithm }) => algorithm),
    ["ES256", "ES384", "RS256"],
  );
});

test("fault 27: an unusable key does not make the good key with the same kid unusable", () => {
  const { keys } = importJwkSet({ keys: [{ ...rsa, kid: ec.kid, use: "enc" }, ec] });
  assert.deepEqual(
    keys.map(({ kid }) => kid),
    [ec.kid],
  );
});

test("fault 27: importJwkSet throws for a value that is not a set, accepts an empty one, and rejects the keys after the first 500", () => {
  for (const set of [null, [], "<html>", {}, { keys: {} }, { keys: null }, undefined, 1]) {
    assert.throws(() => importJwkSet(set), { code: "invalid_key" });
  }
  const { keys, rejected } = importJwkSet({ keys: [...Array<unknown>(500).fill(ec), ed] });
  assert.equal(keys.length, 1);
  assert.deepEqual(rejected, [{ index: 500, reason: "is not among the first 500 of the set" }]);
  assert.deepEqual(importJwkSet({ keys: [] }), { keys: [], rejected: [] });
});

test("a shared secret must be at least as long as its digest, and serves only HMAC", () => {
  const lengths = { HS256: 32, HS384: 48, HS512: 64 } as const;
  for (const [algorithm, length] of Object.entries(lengths) as [keyof typeof lengths, number][]) {
    assert.equal(importSecret(Buffer.alloc(length, 1), algorithm).algorithm, algorithm);
    assert.throws(() => importSecret(Buffer.alloc(length - 1, 1), algorithm), {
      code: "invalid_key",
      message: `a secret for ${algorithm} must have at least ${length} bytes; got ${length - 1}`,
    });
  }
  assert.throws(() => importSecret(Buffer.alloc(64, 1), "ES256"), { code: "invalid_key" });
  assert.throws(() => importSecret(Buffer.alloc(0), "HS256"), { code: "invalid_key" });
});

test("a published key is rejected as a shared secret, because every reader could sign with it", () => {
  const { publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  for (const type of ["spki", "pkcs1"] as const) {
    const pem = Buffer.from(publicKey.export({ type, format: "pem" }));
    assert.throws(() => importSecret(pem, "HS256"), { code: "invalid_key", message: /random bytes.*PEM/ });
  }
});

test("the name Ed25519 of RFC 9864 stands for EdDSA in keys and tokens", () => {
  const { keys } = importJwkSet({ keys: [{ ...ed, alg: "Ed25519" }] });
  assert.deepEqual(
    keys.map(({ algorithm }) => algorithm),
    ["EdDSA"],
  );
  const encoded = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const parsed = parseToken(`${encoded({ alg: "Ed25519" })}.${encoded({})}.${encoded({})}`);
  assert.equal("reason" in parsed ? parsed.reason : parsed.algorithm, "EdDSA");
});

test("a key whose key_ops repeat a value or hold a number is refused (RFC 7517 §4.3)", () => {
  for (const operations of [["verify", "verify"], ["verify", 1], "verify", []]) {
    assert.match(refusal({ ...ec, key_ops: operations }) ?? "", /key_ops/);
  }
  assert.equal(refusal({ ...ec, key_ops: ["verify", "sign"] }), undefined);
});
