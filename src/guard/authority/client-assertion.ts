import type { Clock } from "../../core/clock.ts";
import { systemEntropy, type Entropy } from "../../core/entropy.ts";
import { HoldfastError, isHoldfastError } from "../../core/errors.ts";
import { importSigningKey, signCompact, type SigningKey } from "../../jwt/signing-key.ts";

/** A private JWK (RFC 7517) with `alg`. */
export type PrivateJwk = Readonly<Record<string, unknown>>;

/** A server compares `exp` with its own clock, so that an assertion must outlast the usual difference. */
const LIFETIME_S = 60;

/**
 * Imports the key that signs assertions. A key without `kid` signs assertions without one. Throws `invalid_key`, naming
 * `option` and no part of the key.
 */
export function importAssertionKey(option: string, jwk: PrivateJwk): SigningKey {
  const { kid = "" } = Object(jwk) as { kid?: unknown };
  try {
    return importSigningKey({ ...jwk, kid });
  } catch (error) {
    const reason = isHoldfastError(error) ? error.message : "the signing key is malformed";
    throw new HoldfastError("invalid_key", `${option} must be a private JWK with alg: ${reason}`);
  }
}

interface AssertionContext {
  readonly clientId: string;
  readonly audience: string;
  readonly clock: Clock;
  readonly entropy?: Entropy;
}

/** Signs a JWT that authenticates a client once (RFC 7523 §2.2 and §3, OpenID Connect Core §9). */
export function signAssertion(
  { key, kid, algorithm }: SigningKey,
  { clientId, audience, clock, entropy = systemEntropy }: AssertionContext,
): string {
  const header = { alg: algorithm, typ: "JWT", ...(kid !== "" && { kid }) };
  const iat = Math.floor(clock.now() / 1_000);
  const claims = {
    iss: clientId,
    sub: clientId,
    aud: audience,
    jti: entropy.uuid(),
    iat,
    exp: iat + LIFETIME_S,
  };
  return signCompact(JSON.stringify(header), JSON.stringify(claims), algorithm, key);
}
