import { createSecretKey, randomBytes, randomUUID, type KeyObject } from "node:crypto";
import { systemClock, type Clock } from "../core/clock.ts";
import { algorithmFacts, type Algorithm } from "../jwt/algorithms.ts";
import { generateSigningKey, signText, type Jwk } from "../jwt/sign.ts";

export interface MintOptions {
  /** `iss` of the tokens. */
  issuer: string;
  /** `aud` of the tokens. */
  audience: string | readonly string[];
  /** Default `ES256`. */
  algorithm?: Algorithm;
  /** Life of a token. Default 600,000. */
  lifetimeMs?: number;
  clock?: Clock;
}

/** Stands in for a provider: makes good tokens, expired ones and odd ones, all signed with one key. */
export interface Mint {
  readonly issuer: string;
  readonly algorithm: Algorithm;
  /** `undefined` for HMAC, whose tokens carry none. */
  readonly kid: string | undefined;
  /** The shared secret; `null` unless the algorithm is HMAC. */
  readonly secret: Uint8Array | null;
  /** What the provider publishes; without keys for HMAC. */
  jwks(): { keys: Jwk[] };
  /**
   * A token that a guard for this issuer and audience accepts, unless `claims` or `header` change that. They
   * replace the members of the same name; `undefined` leaves one out. `exp`, `iat` and `nbf` are epoch seconds.
   */
  token(claims?: Readonly<Record<string, unknown>>, header?: Readonly<Record<string, unknown>>): string;
  /** Signs any two texts as header and payload: not JSON, a member twice, whatever a test wants refused. */
  sign(header: string, payload: string): string;
}

interface Key {
  readonly kid: string | undefined;
  readonly key: KeyObject;
  readonly secret: Uint8Array | null;
  readonly published: readonly Jwk[];
}

async function makeKey(algorithm: Algorithm): Promise<Key> {
  if (algorithmFacts(algorithm).family === "HS") {
    const secret = randomBytes(64);
    return { kid: undefined, key: createSecretKey(secret), secret, published: [] };
  }
  const { kid, key, publicJwk } = await generateSigningKey(algorithm);
  return { kid, key, secret: null, published: [publicJwk] };
}

/** Makes a key and a mint that signs with it. */
export async function createMint(options: MintOptions): Promise<Mint> {
  const { issuer, audience, algorithm = "ES256", lifetimeMs = 600_000, clock = systemClock } = options;
  const { kid, key, secret, published } = await makeKey(algorithm);
  const sign = (header: string, payload: string) => signText(header, payload, algorithm, key);
  return {
    issuer,
    algorithm,
    kid,
    secret,
    jwks: () => ({ keys: [...published] }),
    sign,
    token(claims, header) {
      const iat = Math.floor(clock.now() / 1000);
      const exp = iat + Math.ceil(lifetimeMs / 1000);
      const usual = { iss: issuer, sub: "user", aud: audience, exp, iat, jti: randomUUID() };
      return sign(
        JSON.stringify({ alg: algorithm, kid, typ: "at+jwt", ...header }),
        JSON.stringify({ ...usual, ...claims }),
      );
    },
  };
}
