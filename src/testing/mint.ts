import { createSecretKey, type KeyObject } from "node:crypto";
import { systemEntropy } from "../core/entropy.ts";
import type { Clock } from "../core/clock.ts";
import { clockOption, invalidOption, option, readOptions, type OptionTable } from "../core/options.ts";
import { algorithmFacts, type Algorithm } from "../jwt/algorithms.ts";
import { generateSigningKey, importSigningKey, signCompact, type Jwk } from "../jwt/sign.ts";

/** Options of `createMint`. */
export interface MintOptions {
  /** `iss` of the tokens. */
  issuer: string;
  /** `aud` of the tokens. */
  audience: string | readonly string[];
  /** The signing algorithm. Default `ES256`. */
  algorithm?: Algorithm;
  /** Lifetime of a token, milliseconds. Default 600,000. */
  lifetimeMs?: number;
  /** A private JWK to sign with, such as `privateJwk` of another mint. Default: a new key. */
  key?: Readonly<Record<string, unknown>> | undefined;
  /** Sets `iat` and `exp`. Default: the system's clock. */
  clock?: Clock;
}

/** Creates tokens, valid and invalid ones, in place of a provider. One key signs all of them. */
export interface Mint {
  readonly issuer: string;
  readonly algorithm: Algorithm;
  /** `kid` of the tokens. `undefined` for HMAC, whose tokens have no `kid`. */
  readonly kid: string | undefined;
  /** The shared secret. `null` unless the algorithm is HMAC. */
  readonly secret: Uint8Array | null;
  /** The signing key. Pass it as `key` to create the same mint again. `null` for HMAC. */
  readonly privateJwk: Jwk | null;
  /** The key set that a provider would publish. It has no keys for HMAC. */
  jwks(): { keys: Jwk[] };
  /**
   * Creates a token that a guard for this issuer and audience accepts. `claims` and `header` replace members of the same
   * name, and `undefined` removes one. `exp`, `iat` and `nbf` are epoch seconds.
   */
  token(claims?: Readonly<Record<string, unknown>>, header?: Readonly<Record<string, unknown>>): string;
  /** Signs two arbitrary texts as header and payload, such as text that is not JSON or has a member twice. */
  sign(header: string, payload: string): string;
}

interface MintKey {
  readonly kid: string | undefined;
  readonly key: KeyObject;
  readonly secret: Uint8Array | null;
  readonly privateJwk: Jwk | null;
  readonly published: readonly Jwk[];
}

const OWNER = "createMint";

/** The options of `createMint`. Tests may want any `iss`, `aud` and lifetime, including invalid ones. */
const mintOptionTable: OptionTable<Required<MintOptions>> = {
  issuer: option((_name, value) => value as string),
  audience: option((_name, value) => value as MintOptions["audience"]),
  algorithm: option<Algorithm>((_name, value) => value as Algorithm, "ES256"),
  lifetimeMs: option((_name, value) => value as number, 600_000),
  key: option((_name, value) => value as MintOptions["key"]),
  clock: clockOption(OWNER),
};

async function createMintKey(algorithm: Algorithm, privateJwk: MintOptions["key"]): Promise<MintKey> {
  if (privateJwk === undefined && algorithmFacts(algorithm).family === "HS") {
    const secret = systemEntropy.bytes(64);
    return { kid: undefined, key: createSecretKey(secret), secret, privateJwk: null, published: [] };
  }
  const key = privateJwk === undefined ? await generateSigningKey(algorithm) : importSigningKey(privateJwk);
  if (key.algorithm !== algorithm) throw invalidOption(`${OWNER}: key`, `a key for ${algorithm}`, privateJwk);
  return { ...key, secret: null, published: [key.publicJwk] };
}

/**
 * Creates a mint, and a signing key unless `key` is given.
 *
 * Rejects with `invalid_option`, `missing_method` or `invalid_key`.
 *
 * @example
 * ```ts
 * import { createGuard, staticKeys } from "holdfast";
 * import { createMint } from "holdfast/testing";
 *
 * const audience = "https://api.example.com";
 * const mint = await createMint({ issuer: "https://id.example.com", audience });
 * const guard = createGuard({ issuer: mint.issuer, audience, keys: staticKeys(mint.jwks()) });
 *
 * const valid = await guard.validate(mint.token({ sub: "alice", scope: "orders:read" }));
 * const expired = await guard.validate(mint.token({ exp: 1 }));
 * console.log(valid.status, expired.status); // "valid", "invalid"
 * ```
 */
export async function createMint(options: MintOptions): Promise<Mint> {
  const settings = readOptions(OWNER, options, mintOptionTable);
  const { issuer, audience, algorithm, lifetimeMs, clock } = settings;
  const { kid, key, secret, privateJwk, published } = await createMintKey(algorithm, settings.key);
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
      const defaults = { iss: issuer, sub: "user", aud: audience, exp, iat, jti: systemEntropy.uuid() };
      return sign(
        JSON.stringify({ alg: algorithm, kid, typ: "at+jwt", ...header }),
        JSON.stringify({ ...defaults, ...claims }),
      );
    },
  };
}
