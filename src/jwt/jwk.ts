import { createPublicKey, createSecretKey, hash, type JsonWebKey, type KeyObject } from "node:crypto";
import { HoldfastError } from "../core/errors.ts";
import { HmacKey } from "../core/hmac.ts";
import {
  algorithmFacts,
  canonicalAlgorithm,
  digestBytes,
  isAlgorithm,
  needsNewerNode,
  type Algorithm,
} from "./algorithms.ts";
import { isSafeEd25519Point } from "./ed25519-point.ts";
import { importPssKey } from "./rsa-pss.ts";
import { findModulusWeakness } from "./weak-modulus.ts";

/** A key that verifies one algorithm and no other. */
export interface VerificationKey {
  /** Equal for keys that verify the same tokens: their `kid`, issuer, algorithm and key material are equal. */
  readonly id: string;
  readonly kid: string | undefined;
  /** The issuer that the key names in a member of its own, as Microsoft's keys do. Only shared key sets look at it. */
  readonly issuer: string | undefined;
  readonly algorithm: Algorithm;
  readonly key: KeyObject;
  /** An RSA key in PEM, for PSS on runtimes whose `key` does not require PSS. `null` on Node and for other algorithms. */
  readonly pssPem: string | null;
  /** The secret of a key for HMAC. `null` for other algorithms. */
  readonly hmac: Pick<HmacKey, "digestAscii"> | null;
  /** The length of every signature. OpenSSL would accept a PSS signature without its leading zeros (RFC 8017 §8.1.2). */
  readonly signatureBytes: number;
}

export interface ImportedJwk {
  readonly kid: string | undefined;
  readonly kty: unknown;
  readonly key: KeyObject;
  /** One key for each accepted algorithm that the JWK serves. */
  readonly verificationKeys: readonly VerificationKey[];
}

/** The members that only private keys have (RFC 7518 §6.2.2 and §6.3.2, RFC 8037 §2, RFC 9964 §3). */
const PRIVATE_MEMBERS = ["d", "p", "q", "dp", "dq", "qi", "oth", "priv"];

/** A smaller modulus is too weak (RFC 7518 §3.3). A larger one makes one verification as slow as hundreds. */
const RSA_MODULUS_BITS = { min: 2048, max: 8192 };

/**
 * Imports an untrusted public JWK (RFC 7517 §4): the key, and one verification key for each accepted algorithm that it
 * serves. Only an RSA key without `alg` serves more than one. A rejected JWK gives the reason as a string, which
 * completes the sentence "the key …".
 */
export function importJwk(
  jwk: Readonly<Record<string, unknown>>,
  accepted: readonly Algorithm[],
): ImportedJwk | string {
  const { kid, kty, crv, use, key_ops: operations } = jwk;
  const alg = canonicalAlgorithm(jwk["alg"]);
  if (kid !== undefined && typeof kid !== "string") return "has a kid that is not a string";
  if (kty === "oct" || jwk["k"] !== undefined) return "is a secret in a public set";
  if (PRIVATE_MEMBERS.some((member) => jwk[member] !== undefined)) return "is a private key in a public set";
  if (use !== undefined && use !== "sig") return "is not for signatures (use)";
  if (operations !== undefined) {
    if (!isListOfDistinctStrings(operations)) return "has key_ops that are not a list of distinct strings";
    if (!operations.includes("verify")) return "is not for verifying (key_ops)";
  }
  if (needsNewerNode(alg)) return "is for an algorithm that is not supported by this Node";
  if (alg !== undefined && !isAlgorithm(alg)) return "is for an algorithm that is not supported";
  const usable = accepted.filter((algorithm) => {
    const facts = algorithmFacts(algorithm);
    return (
      facts.kty === kty &&
      facts.curve === (kty === "RSA" ? undefined : crv) &&
      (alg ?? algorithm) === algorithm
    );
  });
  if (usable.length === 0) return "is not of a kind that serves an accepted algorithm";
  const key = importPublicKey(jwk);
  if (typeof key === "string") return key;
  const material = hash("sha256", key.export({ type: "spki", format: "der" }), "base64url");
  const issuer = typeof jwk["issuer"] === "string" ? jwk["issuer"] : undefined;
  return {
    kid,
    kty,
    key,
    verificationKeys: usable.map((algorithm) =>
      makeVerificationKey({ kid, issuer }, algorithm, key, material),
    ),
  };
}

/** RFC 7517 §4.3 forbids values that are repeated or that are not strings. */
function isListOfDistinctStrings(value: unknown): value is readonly string[] {
  if (!Array.isArray(value) || !value.every((item) => typeof item === "string")) return false;
  return new Set(value).size === value.length;
}

function importPublicKey(jwk: Readonly<Record<string, unknown>>): KeyObject | string {
  const { kty, crv, n, e, x, y, alg, pub } = jwk;
  // An AKP key must have `alg` (RFC 9964 §3). Node reads it for no other key type.
  const members = kty === "AKP" ? { kty, alg, pub } : { kty, crv, n, e, x, y };
  let key: KeyObject;
  try {
    key = createPublicKey({ key: members as JsonWebKey, format: "jwk" });
  } catch {
    return "is malformed, or not a point of its curve";
  }
  if (kty === "RSA") {
    const { modulusLength: bits = 0, publicExponent: exponent = 0n } = key.asymmetricKeyDetails ?? {};
    if (bits < RSA_MODULUS_BITS.min || bits > RSA_MODULUS_BITS.max) {
      return `has a modulus of ${bits} bits; ${RSA_MODULUS_BITS.min} to ${RSA_MODULUS_BITS.max} are accepted`;
    }
    if (exponent < 3n || exponent % 2n === 0n) return "has an exponent that is even or 1";
    const weakness = findModulusWeakness(Buffer.from(n as string, "base64url"));
    if (weakness !== null) return `has a modulus ${weakness}`;
  }
  if (kty === "OKP" && !isSafeEd25519Point(Buffer.from(x as string, "base64url"))) {
    return "is not a point of its curve, or one of small order";
  }
  return key;
}

/** @param material A digest of the key. */
function makeVerificationKey(
  { kid, issuer }: Pick<VerificationKey, "kid" | "issuer">,
  algorithm: Algorithm,
  key: KeyObject,
  material: string,
  hmac: VerificationKey["hmac"] = null,
): VerificationKey {
  const { family, hash: digest, signatureBytes } = algorithmFacts(algorithm);
  const pss = family === "PS" && digest !== null ? importPssKey(key, digest) : null;
  return {
    id: JSON.stringify([algorithm, material, kid ?? null, issuer]),
    kid,
    issuer,
    algorithm,
    key: pss?.key ?? key,
    pssPem: pss?.pem ?? null,
    hmac,
    signatureBytes: signatureBytes ?? Math.ceil((key.asymmetricKeyDetails?.modulusLength ?? 0) / 8),
  };
}

/** Imports a shared secret for one HMAC algorithm. Throws `invalid_key` when it is shorter than the digest (RFC 7518 §3.2). */
export function importSecret(secret: Uint8Array, algorithm: Algorithm): VerificationKey {
  const { family, hash: digest } = algorithmFacts(algorithm);
  if (family !== "HS" || digest === null) {
    throw new HoldfastError("invalid_key", `a shared secret serves HS256, HS384 or HS512; not ${algorithm}`);
  }
  if (secret.length < digestBytes(digest)) {
    throw new HoldfastError(
      "invalid_key",
      `a secret for ${algorithm} must have at least ${digestBytes(digest)} bytes; got ${secret.length}`,
    );
  }
  // Everyone who knows a public key could sign with it if it served as a secret (RFC 8725 §2.1).
  if (Buffer.from(secret.subarray(0, 11)).toString("latin1") === "-----BEGIN ") {
    throw new HoldfastError(
      "invalid_key",
      "a shared secret must be random bytes; got a key or certificate in PEM",
    );
  }
  const material = hash("sha256", secret, "base64url");
  return makeVerificationKey(
    { kid: undefined, issuer: undefined },
    algorithm,
    createSecretKey(secret),
    material,
    new HmacKey(digest, secret),
  );
}
