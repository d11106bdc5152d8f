import { createPublicKey, createSecretKey, type JsonWebKey, type KeyObject } from "node:crypto";
import { HoldfastError } from "../core/errors.ts";
import { algorithmFacts, digestBytes, isAlgorithm, type Algorithm } from "./algorithms.ts";
import { isSoundEd25519Point } from "./ed25519-point.ts";
import { pssKey } from "./rsa-pss.ts";

/** A key, ready to verify one algorithm and no other. */
export interface VerificationKey {
  readonly kid: string | undefined;
  readonly algorithm: Algorithm;
  readonly key: KeyObject;
  /** Length of every signature. OpenSSL alone would take one of PSS without its leading zeros (RFC 8017 §8.1.2). */
  readonly signatureBytes: number;
}

export interface ImportedJwk {
  readonly kid: string | undefined;
  readonly key: KeyObject;
  /** One for each accepted algorithm. */
  readonly serves: readonly VerificationKey[];
}

export function isSameKey(one: VerificationKey, other: VerificationKey): boolean {
  return one.kid === other.kid && one.algorithm === other.algorithm && one.key.equals(other.key);
}

/** Smaller ones are too weak (RFC 7518 §3.3); one signature of a larger one costs as much as hundreds. */
const RSA_BITS = { min: 2048, max: 8192 };

/**
 * A public JWK (RFC 7517 §4) from outside: the key, and one verification key for each accepted algorithm that it
 * serves. More than one only for an RSA key that names no `alg`. A string, if it is refused, completes "the key …".
 */
export function importJwk(
  jwk: Readonly<Record<string, unknown>>,
  accepted: readonly Algorithm[],
): ImportedJwk | string {
  const { kid, kty, crv, alg, use, key_ops: operations } = jwk;
  if (kid !== undefined && typeof kid !== "string") return "has a kid that is not a string";
  if (kty === "oct" || jwk["k"] !== undefined) return "is a secret in a public set";
  if (jwk["d"] !== undefined) return "is a private key in a public set";
  if (use !== undefined && use !== "sig") return "is not for signatures (use)";
  if (operations !== undefined && !(Array.isArray(operations) && operations.includes("verify"))) {
    return "is not for verifying (key_ops)";
  }
  if (alg !== undefined && !isAlgorithm(alg)) return "is for an algorithm that is not supported";
  const serves = accepted.filter((algorithm) => {
    const facts = algorithmFacts(algorithm);
    return (
      facts.kty === kty &&
      facts.curve === (kty === "RSA" ? undefined : crv) &&
      (alg ?? algorithm) === algorithm
    );
  });
  if (serves.length === 0) return "is not of a kind that serves an accepted algorithm";
  const key = importPublic(jwk);
  if (typeof key === "string") return key;
  return { kid, key, serves: serves.map((algorithm) => declare(kid, algorithm, key)) };
}

function importPublic({ kty, crv, n, e, x, y }: Readonly<Record<string, unknown>>): KeyObject | string {
  let key: KeyObject;
  try {
    key = createPublicKey({ key: { kty, crv, n, e, x, y } as JsonWebKey, format: "jwk" });
  } catch {
    return "is malformed, or not a point of its curve";
  }
  if (kty === "RSA") {
    const { modulusLength: bits = 0, publicExponent: exponent = 0n } = key.asymmetricKeyDetails ?? {};
    if (bits < RSA_BITS.min || bits > RSA_BITS.max) {
      return `has a modulus of ${bits} bits; ${RSA_BITS.min} to ${RSA_BITS.max} are accepted`;
    }
    if (exponent < 3n || exponent % 2n === 0n) return "has an exponent that is even or 1";
  }
  if (kty === "OKP" && !isSoundEd25519Point(Buffer.from(x as string, "base64url"))) {
    return "is not a point of its curve, or one of small order";
  }
  return key;
}

function declare(kid: string | undefined, algorithm: Algorithm, key: KeyObject): VerificationKey {
  const { family, hash, signatureBytes } = algorithmFacts(algorithm);
  return {
    kid,
    algorithm,
    key: family === "PS" && hash !== null ? pssKey(key, hash) : key,
    signatureBytes: signatureBytes ?? Math.ceil((key.asymmetricKeyDetails?.modulusLength ?? 0) / 8),
  };
}

/** A shared secret for one HMAC algorithm, at least as long as its digest (RFC 7518 §3.2). Throws `invalid_key`. */
export function importSecret(secret: Uint8Array, algorithm: Algorithm): VerificationKey {
  const { family, hash } = algorithmFacts(algorithm);
  if (family !== "HS" || hash === null) {
    throw new HoldfastError("invalid_key", `a shared secret serves HS256, HS384 or HS512; not ${algorithm}`);
  }
  if (secret.length < digestBytes(hash)) {
    throw new HoldfastError(
      "invalid_key",
      `a secret for ${algorithm} must have at least ${digestBytes(hash)} bytes; got ${secret.length}`,
    );
  }
  return declare(undefined, algorithm, createSecretKey(secret));
}
