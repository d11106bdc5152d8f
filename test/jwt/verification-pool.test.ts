import assert from "node:assert/strict";
import { before, test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import type { Clock } from "../../src/core/clock.ts";
import { supportedAlgorithms, type Algorithm } from "../../src/jwt/algorithms.ts";
import { createClaimsPolicy } from "../../src/jwt/claims.ts";
import { importJwkSet, importSecret, type VerificationKey } from "../../src/jwt/jwk-set.ts";
import { parseToken, type ParsedToken } from "../../src/jwt/parse.ts";
import { VerificationPool, type VerificationOutcome } from "../../src/jwt/verification-pool.ts";
import { verifyWithKey, verifyWithKeyOnThreadPool } from "../../src/jwt/verify.ts";
import { createMint, FakeClock } from "../../src/testing/index.ts";

const issuer = "https://id.example.com";
const policy = createClaimsPolicy({ issuer, audience: "api" });
const slow = supportedAlgorithms.filter((algorithm) => !/^[HRP]S/.test(algorithm));

interface Subject {
  readonly good: ParsedToken;
  readonly forged: ParsedToken;
  readonly foreign: ParsedToken;
  readonly key: VerificationKey;
}

const subjects = new Map<Algorithm, Subject>();
const all = async (outcomes: readonly (VerificationOutcome | Promise<VerificationOutcome>)[]) =>
  await Promise.all(outcomes.map(async (outcome) => await outcome));
const subject = (algorithm: Algorithm): Subject => subjects.get(algorithm) as Subject;

before(async () => {
  for (const algorithm of supportedAlgorithms) {
    const mint = await createMint({ issuer, audience: "api", algorithm });
    const key =
      mint.secret === null ? importJwkSet(mint.jwks()).keys[0] : importSecret(mint.secret, algorithm);
    assert.ok(key);
    const [good, foreign] = [parseToken(mint.token()), parseToken(mint.token({ aud: "another" }))];
    assert.ok(!("reason" in good) && !("reason" in foreign));
    const forged = { ...good, signature: foreign.signature };
    subjects.set(algorithm, { good, forged, foreign, key });
  }
});

test("a caller that awaits each result gets it synchronously, however fast it calls", async () => {
  const pool = new VerificationPool();
  for (const algorithm of slow) {
    await nextTurn();
    const { good, forged, key } = subject(algorithm);
    const verifyNow = async (token: ParsedToken) => {
      const outcome = pool.verify(token, key, policy);
      assert.ok(!(outcome instanceof Promise));
      return outcome;
    };
    for (let i = 0; i < 10; i++) {
      assert.equal(await verifyNow(good), null);
      assert.equal(await verifyNow(forged), "bad_signature");
    }
  }
});

test("concurrent callers share the thread pool, and the first of them gets a synchronous result", async () => {
  for (const algorithm of slow) {
    await nextTurn();
    const pool = new VerificationPool();
    const { good, forged, foreign, key } = subject(algorithm);
    const outcomes = Array.from({ length: 16 }, () => [good, forged, foreign])
      .flat()
      .map((token) => pool.verify(token, key, policy));
    const [first, ...others] = outcomes;
    assert.equal(first, null);
    assert.ok(others.every((outcome) => outcome instanceof Promise));
    const expected = [null, "bad_signature", "wrong_audience"];
    assert.deepEqual(
      await all(outcomes),
      outcomes.map((_, i) => expected[i % 3]),
    );
    assert.equal(pool.size, 0);
  }
});

test("callers that become ready in one turn of the event loop share the thread pool, like requests on sockets", async () => {
  const pool = new VerificationPool();
  const { good, key } = subject("ES256");
  const verifyGood = () => pool.verify(good, key, policy);
  await nextTurn();
  const callback = async () =>
    await new Promise<VerificationOutcome | Promise<VerificationOutcome>[]>((resolve) => {
      setImmediate(() => {
        const outcome = verifyGood();
        resolve(outcome instanceof Promise ? [outcome] : outcome);
      });
    });
  const [first, second, third] = await Promise.all([callback(), callback(), callback()]);
  assert.equal(first, null);
  for (const later of [second, third]) {
    assert.ok(Array.isArray(later));
    assert.equal(await later[0], null);
  }
  await nextTurn();
  assert.equal(await callback(), null, "a later caller that is alone gets a synchronous result");
});

test("callers that await something else first share the thread pool, too", async () => {
  const pool = new VerificationPool();
  const { good, key } = subject("ES256");
  let pooled = 0;
  await nextTurn();
  const caller = async () => {
    await Promise.resolve();
    const outcome = pool.verify(good, key, policy);
    if (outcome instanceof Promise) pooled++;
    assert.equal(await outcome, null);
  };
  await Promise.all(Array.from({ length: 8 }, caller));
  assert.equal(pooled, 7);
});

test("a clock with turns of its own keeps every verification on the main thread", () => {
  const clock: Clock = Object.assign(new FakeClock(), { turn: (fn: () => void) => fn() });
  const pool = new VerificationPool({}, clock);
  for (const algorithm of slow) {
    const { good, forged, key } = subject(algorithm);
    const outcomes = Array.from({ length: 8 }, () => [good, forged]).flat();
    for (const token of outcomes) {
      assert.equal(pool.verify(token, key, policy), token === good ? null : "bad_signature");
    }
  }
});

test("RSA and HMAC never use the thread pool", () => {
  for (const algorithm of supportedAlgorithms.filter((one) => !slow.includes(one))) {
    const pool = new VerificationPool();
    const { good, forged, key } = subject(algorithm);
    for (let i = 0; i < 8; i++) {
      assert.equal(pool.verify(good, key, policy), null);
      assert.equal(pool.verify(forged, key, policy), "bad_signature");
    }
  }
});

test("law 6, fault 31: mass forgeries use bounded space, and the excess is reported as overloaded and never as invalid", async () => {
  const pool = new VerificationPool({ running: 2, waiting: 3 });
  const { good, forged, key } = subject("ES256");
  await nextTurn();
  const outcomes = Array.from({ length: 10_000 }, () => pool.verify(forged, key, policy));
  assert.equal(pool.size, 5);
  const [first, ...others] = outcomes;
  assert.equal(first, "bad_signature");
  assert.equal(others.filter((outcome) => outcome instanceof Promise).length, 5);
  assert.equal(others.filter((outcome) => outcome === "overloaded").length, 9_994);
  assert.equal(pool.verify(good, key, policy), "overloaded");
  const rsa = subject("RS256");
  assert.equal(
    pool.verify(rsa.good, rsa.key, policy),
    null,
    "an algorithm that needs no thread is still verified",
  );
  for (const outcome of await all(others.slice(0, 5))) assert.equal(outcome, "bad_signature");
  assert.equal(pool.size, 0);
  assert.equal(await pool.verify(good, key, policy), null);
});

test("a key of another algorithm verifies nothing on the thread pool either", async () => {
  const pool = new VerificationPool();
  const { good, key } = subject("ES256");
  const other = subject("EdDSA").good;
  await nextTurn();
  assert.equal(verifyWithKey(other, key, policy), "wrong_algorithm");
  const outcomes = [good, other, { ...good, signature: good.signature.subarray(1) }].map((token) =>
    pool.verify(token, key, policy),
  );
  assert.deepEqual(await all(outcomes), [null, "wrong_algorithm", "bad_signature"]);
});

test("an error of node:crypto throws or rejects, and is never a verification result", async () => {
  // OpenSSL accepts only SHA-384 for this key.
  const key: VerificationKey = { ...subject("PS384").key, algorithm: "PS256" };
  const { good } = subject("PS256");
  assert.throws(() => verifyWithKey(good, key, policy), /digest not allowed/);
  await assert.rejects(verifyWithKeyOnThreadPool(good, key, policy), /digest not allowed/);
});
