import { createSecretKey, randomBytes, type KeyObject } from "node:crypto";
import type { InvalidReason } from "../../../src/core/verdict.ts";
import { algorithmFacts, type Algorithm } from "../../../src/jwt/algorithms.ts";
import { importJwkSet, importSecret, type VerificationKey } from "../../../src/jwt/jwk-set.ts";
import { generateSigningKey, signBytes, type Jwk } from "../../../src/jwt/sign.ts";

export const issuer = "https://id.example.com";
export const audience = "https://api.example.com";

interface KeyPair {
  readonly signing: KeyObject;
  /** The public key. `null` for HMAC. */
  readonly published: Jwk | null;
  readonly verifying: VerificationKey;
}

/** The keys under attack. The attacker has everything that is published, and a key of the same type. */
export interface Target extends KeyPair {
  readonly algorithm: Algorithm;
  readonly secret: Buffer | null;
  readonly attacker: KeyPair;
}

/** The parts of a token before it is signed and encoded. */
export interface Draft {
  readonly header: Buffer;
  readonly payload: Buffer;
  readonly sign: (input: string) => Buffer;
}

/** One way to turn a good token into a bad one. */
export interface Attack {
  /** Unique. Begins with the section of RFC 8725 that describes the attack. */
  readonly name: string;
  /** The part that the attack changes. Attacks on different parts can be combined. */
  readonly part: "header" | "claims" | "signature" | "text";
  /** The acceptable reasons of a verification with the target's own key. */
  readonly reasons: readonly InvalidReason[];
  /** Changes the parts. `null` when the attack does not apply to the target. */
  readonly draft?: (draft: Draft, target: Target) => Draft | null;
  /** Changes the finished token. `null` when the attack does not apply to it. */
  readonly text?: (token: string, target: Target) => string | null;
}

async function makePair(algorithm: Algorithm, secret: Buffer | null): Promise<KeyPair> {
  if (secret !== null) {
    const verifying = importSecret(secret, algorithm);
    return { signing: createSecretKey(secret), published: null, verifying };
  }
  const { key, publicJwk } = await generateSigningKey(algorithm);
  const verifying = importJwkSet({ keys: [publicJwk] }, { algorithms: [algorithm] }).keys[0];
  return { signing: key, published: publicJwk, verifying: verifying as VerificationKey };
}

export async function makeTarget(algorithm: Algorithm): Promise<Target> {
  const symmetric = algorithmFacts(algorithm).family === "HS";
  const secret = symmetric ? randomBytes(64) : null;
  const attacker = await makePair(algorithm, symmetric ? randomBytes(64) : null);
  return { algorithm, secret, attacker, ...(await makePair(algorithm, secret)) };
}

/** The parts of a token that a guard accepts. */
export function goodDraft({ algorithm, signing, published }: Target): Draft {
  const iat = Math.floor(Date.now() / 1000);
  const claims = { iss: issuer, sub: "user", aud: audience, exp: iat + 600, iat, jti: "a-b", roles: ["x"] };
  return {
    header: Buffer.from(JSON.stringify({ alg: algorithm, kid: published?.kid, typ: "at+jwt" })),
    payload: Buffer.from(JSON.stringify(claims)),
    sign: (input) => signBytes(algorithm, signing, input),
  };
}

export function serialize({ header, payload, sign }: Draft): string {
  const input = `${header.toString("base64url")}.${payload.toString("base64url")}`;
  return `${input}.${sign(input).toString("base64url")}`;
}

/** Applies these attacks together. `null` when one of them does not apply. */
export function applyAttacks(target: Target, attacks: readonly Attack[]): string | null {
  let draft: Draft | null = goodDraft(target);
  for (const attack of attacks) {
    if (attack.draft !== undefined) draft = attack.draft(draft, target);
    if (draft === null) return null;
  }
  let token: string | null = serialize(draft);
  for (const attack of attacks) if (token !== null && attack.text) token = attack.text(token, target);
  return token;
}
