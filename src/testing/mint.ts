import { createSecretKey, randomBytes, randomUUID, type KeyObject } from "node:crypto";
import { systemClock, type Clock } from "../core/clock.ts";
import { invalidOption } from "../core/options.ts";
import { algorithmFacts, type Algorithm } from "../jwt/algorithms.ts";
import { generateSigningKey, importSigningKey, signCompact, type Jwk } from "../jwt/sign.ts";

export interface MintOptions {
  /** `iss` of the tokens. */
  issuer: string;
  /** `aud` of the tokens. */
  audience: string | readonly string[];
  /** Default `ES256`. */
  algorithm?: Algorithm;
  /** Life of a token. Default 600,000. */
  lifetimeMs?: number;
  /** Signs with this private JWK, such as another mint's `privateJwk`. By default a new key is made. */
  key?: Readonly<Record<string, unknown>> | undefined;
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
  /** The signing key, to make the same mint again; `null` for HMAC. */
  readonly privateJwk: Jwk | null;
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
  readonly privateJwk: Jwk | null;
  readonly published: readonly Jwk[];
}

async function makeKey(algorithm: Algorithm, given: MintOptions["key"]): Promise<Key> {
  if (given === undefined && algorithmFacts(algorithm).family === "HS") {
    const secret = randomBytes(64);
    return { kid: undefined, key: createSecretKey(secret), secret, privateJwk: null, published: [] };
  }
  const made = given === undefined ? await generateSigningKey(algorithm) : importSigningKey(given);
  if (made.algorithm !== algorithm) throw invalidOption("createMint: key", `a key for ${algorithm}`, given);
  return { ...made, secret: null, published: [made.publicJwk] };
}

/** Makes a key, unless it is given one, and a mint that signs with it. Throws `invalid_option` or `invalid_key`. */
export async function createMint(options: MintOptions): Promise<Mint> {
  const { issuer, audience, algorithm = "ES256", lifetimeMs = 600_000, clock = systemClock } = options;
  const { kid, key, secret, privateJwk, published } = await makeKey(algorithm, options.key);
  const sign = (header: string, payload: string) => signCompact(header, payload, algorithm, key);
  return {
    issuer,
    algorithm,
    kid,
    secret,
    privateJwk,
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
