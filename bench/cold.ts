/*
 * What a cold proof (strict parse, signature, claims, time) costs over the bare signature check. Every contender goes
 * through 64 distinct tokens. The floor has its input decoded beforehand and its key and signature in the fastest
 * form. Peers run with their caches off and the rules nearest to ours: issuer, audience, expiry. Left out: fetching
 * keys, the digest and the memory tier before the proof, and many calls in flight.
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
import { algorithmFacts, type Algorithm } from "../src/jwt/algorithms.ts";
import { checkTime, proofPolicy } from "../src/jwt/claims.ts";
import { importJwkSet, importSecret, type VerificationKey } from "../src/jwt/jwk-set.ts";
import { HeaderMemo, parseToken } from "../src/jwt/parse.ts";
import { prove } from "../src/jwt/prove.ts";
import { generateSigningKey, makeSignature, signText, type Jwk } from "../src/jwt/sign.ts";
import { audience, claims, issuer } from "./claims.ts";
import { measure, report, type Contender, type Measurement } from "./measure.ts";

type Verify = (
  token: string,
  key: KeyObject,
  options: { algorithms: string[]; issuer: string; audience: string },
) => unknown;
const jsonwebtoken = createRequire(import.meta.url)("jsonwebtoken") as { verify: Verify };

const policy = proofPolicy({ issuer, audience });

interface Subject {
  readonly algorithm: Algorithm;
  readonly tokens: readonly string[];
  readonly ours: VerificationKey;
  /** Makes signatures: private, or the secret. */
  readonly signing: KeyObject;
  /** As peers want it: public, or the secret. */
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
  return Array.from({ length: 64 }, () => signText(header, JSON.stringify(claims()), alg, key));
}

/** Runs `check` over the tokens; it throws for a token that is refused. */
function over<T>(inputs: readonly T[], check: (input: T) => unknown): Contender["run"] {
  return (iterations) => {
    for (let i = 0; i < iterations; i++) check(inputs[i & 63] as T);
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
    const signature = family === "ES" ? sign(hash, bytes, signing) : makeSignature(algorithm, signing, text);
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

function holdfast({ tokens, ours }: Subject, target: number): Contender {
  const memo = new HeaderMemo();
  const check = (token: string): void => {
    const parsed = parseToken(token, memo);
    if ("reason" in parsed || prove(parsed, ours, policy) !== null) refused();
    if (checkTime(parsed.claims, Date.now(), 0) !== null) refused();
  };
  return { name: "holdfast", target, run: over(tokens, check) };
}

function peers({ algorithm, tokens, plain, jwks }: Subject): Contender[] {
  const { family } = algorithmFacts(algorithm);
  const contenders: Contender[] = [];
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
  const options = { algorithms: [algorithm], issuer, audience };
  contenders.push({
    name: "jose, one at a time",
    async run(iterations) {
      for (let i = 0; i < iterations; i++) await jwtVerify(tokens[i & 63] as string, plain, options);
    },
  });
  return contenders;
}

const targets = { HS256: 2, RS256: 1.15, PS256: 1.15, ES256: 1.06, EdDSA: 1.06 } as const;
const results: Measurement[] = [];
for (const [algorithm, target] of Object.entries(targets)) {
  const s = await subject(algorithm as Algorithm);
  const bytes = s.tokens[0]?.length ?? 0;
  results.push(
    await measure(`cold proof, ${algorithm}, token of ${bytes} bytes`, [
      floor(s),
      holdfast(s, target),
      ...peers(s),
    ]),
  );
}
report(results);
