/*
 * Measures a cold verification (strict parse, signature, claims, time) against the bare signature check. Every contender
 * takes 64 different tokens in turn. The floor gets decoded input, and key and signature in their fastest form. The second
 * floor is what no verification can leave out: split, decode, parse the JSON, check the signature. Peers run without their
 * caches, under the nearest rules: issuer, audience, expiry.
 *
 * For the slow algorithms a second table compares 64 verifications that start together with the same 64 one by one. Key
 * fetches, and the digest and the cache look-up before a verification, are not measured.
 */
import {
  createHmac,
  createPublicKey,
  createSecretKey,
  randomBytes,
  sign,
  timingSafeEqual,
  verify,
  type KeyObject,
} from "node:crypto";
import { createRequire } from "node:module";
import { JwtVerifier } from "aws-jwt-verify";
import { createVerifier, type Algorithm as FastJwtAlgorithm } from "fast-jwt";
import { jwtVerify } from "jose";
import { algorithmFacts, isAlgorithm, type Algorithm } from "../src/jwt/algorithms.ts";
import { checkTime, createClaimsPolicy } from "../src/jwt/claims.ts";
import { importJwkSet, importSecret, type VerificationKey } from "../src/jwt/jwk-set.ts";
import { HeaderMemo, parseToken } from "../src/jwt/parse.ts";
import { VerificationPool } from "../src/jwt/verification-pool.ts";
import { verifyWithKey } from "../src/jwt/verify.ts";
import { generateSigningKey, signBytes, signCompact, type Jwk } from "../src/jwt/sign.ts";
import { audience, claims, issuer } from "./claims.ts";
import { measure, report, type Contender, type Measurement } from "./measure.ts";

type Verify = (
  token: string,
  key: KeyObject,
  options: { algorithms: string[]; issuer: string; audience: string },
) => unknown;
const jsonwebtoken = createRequire(import.meta.url)("jsonwebtoken") as { verify: Verify };

const policy = createClaimsPolicy({ issuer, audience });

interface Subject {
  readonly algorithm: Algorithm;
  readonly tokens: readonly string[];
  readonly ours: VerificationKey;
  /** The private key, or the secret. */
  readonly signing: KeyObject;
  /** The public key, or the secret, for the peers. */
  readonly plain: KeyObject;
  readonly jwks: { keys: Jwk[] };
}

async function subject(algorithm: Algorithm): Promise<Subject> {
  if (algorithm === "HS256") {
    const secret = randomBytes(32);
    const key = createSecretKey(secret);
    const ours = importSecret(secret, algorithm);
    return { algorithm, tokens: mint(algorithm, key), ours, signing: key, plain: key, jwks: { keys: [] } };
  }
  const { key, kid, publicJwk } = await generateSigningKey(algorithm);
  const jwks = { keys: [publicJwk] };
  const ours = importJwkSet(jwks).keys[0] as VerificationKey;
  return {
    algorithm,
    tokens: mint(algorithm, key, kid),
    ours,
    signing: key,
    plain: createPublicKey(key),
    jwks,
  };
}

function mint(alg: Algorithm, key: KeyObject, kid?: string): string[] {
  const header = JSON.stringify({ alg, typ: "JWT", kid });
  return Array.from({ length: 64 }, () => signCompact(header, JSON.stringify(claims()), alg, key));
}

/** Runs `check` over the tokens in turn. `check` throws when it refuses one. */
function over<T>(inputs: readonly T[], check: (input: T) => unknown): Contender["run"] {
  return (iterations) => {
    for (let i = 0; i < iterations; i++) check(inputs[i % inputs.length] as T);
  };
}

function refused(): never {
  throw new Error("a valid token was refused");
}

function floor({ tokens, ours, algorithm, signing }: Subject): Contender {
  const { family, hash } = algorithmFacts(algorithm);
  const inputs = tokens.map((token) => {
    const text = token.slice(0, token.lastIndexOf("."));
    const bytes = Buffer.from(text);
    const signature = family === "ES" ? sign(hash, bytes, signing) : signBytes(algorithm, signing, text);
    return { bytes, signature };
  });
  const check =
    family === "HS"
      ? ({ bytes, signature }: (typeof inputs)[number]) =>
          timingSafeEqual(
            createHmac(hash as string, ours.key)
              .update(bytes)
              .digest(),
            signature,
          ) || refused()
      : ({ bytes, signature }: (typeof inputs)[number]) =>
          verify(hash, bytes, ours.key, signature) || refused();
  return { name: "node:crypto alone (floor)", run: over(inputs, check) };
}

const SECOND_FLOOR = "split, decode, parse, node:crypto";

function secondFloor({ tokens, ours, algorithm, signing }: Subject): Contender {
  const { family, hash } = algorithmFacts(algorithm);
  const check = ({ token, der }: { token: string; der: Buffer | null }) => {
    const first = token.indexOf(".");
    const second = token.indexOf(".", first + 1);
    const signature = Buffer.from(token.slice(second + 1), "base64url");
    const input = Buffer.from(token.slice(0, second), "latin1");
    const isSigned =
      family === "HS"
        ? timingSafeEqual(
            createHmac(hash as string, ours.key)
              .update(input)
              .digest(),
            signature,
          )
        : verify(hash, input, ours.key, der ?? signature);
    if (!isSigned) refused();
    return JSON.parse(Buffer.from(token.slice(first + 1, second), "base64url").toString("latin1"));
  };
  const inputs = tokens.map((token) => {
    const input = Buffer.from(token.slice(0, token.lastIndexOf(".")));
    // JOSE's form of an ECDSA signature is not the one that OpenSSL reads. The second floor gets it converted.
    return { token, der: family === "ES" ? sign(hash, input, signing) : null };
  });
  return { name: SECOND_FLOOR, run: over(inputs, check) };
}

/** Verifies one token at a time, without the thread pool. */
function verifyingOneByOne({ ours }: Subject): (token: string) => void {
  const memo = new HeaderMemo();
  return (token) => {
    const parsed = parseToken(token, memo);
    if ("reason" in parsed || verifyWithKey(parsed, ours, policy) !== null) refused();
    if (checkTime(parsed.claims, Date.now(), 0) !== null) refused();
  };
}

/** One iteration verifies all 64 tokens at once. */
function together(check: (token: string) => Promise<void>, tokens: readonly string[]): Contender["run"] {
  return async (iterations) => {
    for (let i = 0; i < iterations; i++) await Promise.all(tokens.map(check));
  };
}

function pooled({ ours, tokens }: Subject): Contender {
  const memo = new HeaderMemo();
  const pool = new VerificationPool();
  const check = async (token: string): Promise<void> => {
    const parsed = parseToken(token, memo);
    if ("reason" in parsed || (await pool.verify(parsed, ours, policy)) !== null) refused();
    if (checkTime(parsed.claims, Date.now(), 0) !== null) refused();
  };
  return { name: "holdfast, 64 in flight", target: 1 / 1.5, waits: true, run: together(check, tokens) };
}

async function compareInFlight(s: Subject): Promise<Measurement> {
  const { algorithm, tokens, plain } = s;
  const check64 = verifyingOneByOne(s);
  const options = { algorithms: [algorithm], issuer, audience };
  const theirs = async (token: string) => void (await jwtVerify(token, plain, options));
  return await measure(`64 cold verifications, ${algorithm}`, [
    { name: "holdfast, one by one", run: over([tokens], (all) => all.forEach(check64)) },
    pooled(s),
    { name: "jose, 64 in flight", waits: true, run: together(theirs, tokens) },
  ]);
}

function jose({ algorithm, tokens, plain }: Subject): Contender {
  const options = { algorithms: [algorithm], issuer, audience };
  return {
    name: "jose, one at a time",
    // WebCrypto verifies on the thread pool.
    waits: true,
    async run(iterations) {
      for (let i = 0; i < iterations; i++) await jwtVerify(tokens[i & 63] as string, plain, options);
    },
  };
}

/** The libraries that support the algorithm. */
function peers(s: Subject): Contender[] {
  const { algorithm, tokens, plain, jwks } = s;
  const { family } = algorithmFacts(algorithm);
  if (family === "ML-DSA") return [jose(s)];
  const contenders: Contender[] = [jose(s)];
  const pem = family === "HS" ? plain.export() : plain.export({ type: "spki", format: "pem" });
  const fast = createVerifier({
    key: pem,
    algorithms: [algorithm as FastJwtAlgorithm],
    allowedIss: issuer,
    allowedAud: audience,
  });
  contenders.push({ name: "fast-jwt", run: over(tokens, fast) });
  if (family !== "EdDSA") {
    const options = { algorithms: [algorithm], issuer, audience };
    const check = (token: string) => jsonwebtoken.verify(token, plain, options);
    contenders.push({ name: "jsonwebtoken", run: over(tokens, check) });
  }
  if (family !== "HS" && family !== "PS") {
    const verifier = JwtVerifier.create({ issuer, audience, jwksUri: `${issuer}/jwks.json` });
    verifier.cacheJwks(jwks as never);
    contenders.push({ name: "aws-jwt-verify", run: over(tokens, (token) => verifier.verifySync(token)) });
  }
  return contenders;
}

/** The greatest ratios to the second floor. */
const targets = {
  HS256: 1.35,
  RS256: 1.12,
  PS256: 1.12,
  ES256: 1.05,
  EdDSA: 1.05,
  "ML-DSA-44": 1.05,
} as const;
const results: Measurement[] = [];
for (const [algorithm, target] of Object.entries(targets)) {
  // Older versions of Node have no ML-DSA.
  if (!isAlgorithm(algorithm)) continue;
  const s = await subject(algorithm);
  const ours: Contender = {
    name: "holdfast",
    ...(algorithm === "HS256" && { target: 2.1 }),
    against: { name: SECOND_FLOOR, target },
    run: over(s.tokens, verifyingOneByOne(s)),
  };
  const question = `cold verification, ${algorithm}, token of ${s.tokens[0]?.length ?? 0} bytes`;
  results.push(await measure(question, [floor(s), secondFloor(s), ours, ...peers(s)]));
  if (target === 1.05) results.push(await compareInFlight(s));
}
report(results);
