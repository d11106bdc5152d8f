import { createPublicKey } from "node:crypto";

/** The JWS algorithms that Holdfast verifies (RFC 7518 §3.1, RFC 8037, RFC 9964). `none` is not among them. */
export type Algorithm =
  | "HS256"
  | "HS384"
  | "HS512"
  | "RS256"
  | "RS384"
  | "RS512"
  | "PS256"
  | "PS384"
  | "PS512"
  | "ES256"
  | "ES384"
  | "ES512"
  | "EdDSA"
  | "ML-DSA-44"
  | "ML-DSA-65"
  | "ML-DSA-87";

export interface AlgorithmFacts {
  readonly family: "HS" | "RS" | "PS" | "ES" | "EdDSA" | "ML-DSA";
  /** The `kty` of its keys (RFC 7518 §6.1, RFC 8037 §2, RFC 9964 §3). */
  readonly kty: "oct" | "RSA" | "EC" | "OKP" | "AKP";
  /** The `crv` of its keys. Absent for a key type without curves. */
  readonly curve?: string;
  /** The name of the hash in node:crypto. `null` when the hash is part of the algorithm. */
  readonly hash: "sha256" | "sha384" | "sha512" | null;
  /** The length of every signature. Absent for RSA, where a signature is as long as the modulus. */
  readonly signatureBytes?: number;
}

const algorithmTable: Readonly<Record<Algorithm, AlgorithmFacts>> = {
  HS256: { family: "HS", kty: "oct", hash: "sha256", signatureBytes: 32 },
  HS384: { family: "HS", kty: "oct", hash: "sha384", signatureBytes: 48 },
  HS512: { family: "HS", kty: "oct", hash: "sha512", signatureBytes: 64 },
  RS256: { family: "RS", kty: "RSA", hash: "sha256" },
  RS384: { family: "RS", kty: "RSA", hash: "sha384" },
  RS512: { family: "RS", kty: "RSA", hash: "sha512" },
  PS256: { family: "PS", kty: "RSA", hash: "sha256" },
  PS384: { family: "PS", kty: "RSA", hash: "sha384" },
  PS512: { family: "PS", kty: "RSA", hash: "sha512" },
  ES256: { family: "ES", kty: "EC", curve: "P-256", hash: "sha256", signatureBytes: 64 },
  ES384: { family: "ES", kty: "EC", curve: "P-384", hash: "sha384", signatureBytes: 96 },
  ES512: { family: "ES", kty: "EC", curve: "P-521", hash: "sha512", signatureBytes: 132 },
  EdDSA: { family: "EdDSA", kty: "OKP", curve: "Ed25519", hash: null, signatureBytes: 64 },
  "ML-DSA-44": { family: "ML-DSA", kty: "AKP", hash: null, signatureBytes: 2420 },
  "ML-DSA-65": { family: "ML-DSA", kty: "AKP", hash: null, signatureBytes: 3309 },
  "ML-DSA-87": { family: "ML-DSA", kty: "AKP", hash: null, signatureBytes: 4627 },
};

/** Node supports ML-DSA from 24.7 on when it is built with OpenSSL 3.5. Any 1,312 bytes are a key (FIPS 204, algorithm 23). */
function detectMlDsa(): boolean {
  const key = { kty: "AKP", alg: "ML-DSA-44", pub: "A".repeat(1750) };
  try {
    return createPublicKey({ key, format: "jwk" }).asymmetricKeyType === "ml-dsa-44";
  } catch {
    return false;
  }
}

const hasMlDsa = detectMlDsa();

/** The algorithms that this version of Node can verify. */
export const supportedAlgorithms: readonly Algorithm[] = Object.freeze(
  (Object.keys(algorithmTable) as Algorithm[]).filter(
    (algorithm) => hasMlDsa || algorithmTable[algorithm].family !== "ML-DSA",
  ),
);

/** The algorithms whose verification key is public. A guard accepts these by default. */
export const asymmetricAlgorithms: readonly Algorithm[] = Object.freeze(
  supportedAlgorithms.filter((algorithm) => algorithmTable[algorithm].family !== "HS"),
);

/**
 * The algorithm that a published name stands for. RFC 9864 replaces the name `EdDSA` by `Ed25519`; both name the same
 * signatures here, because `EdDSA` is accepted with Ed25519 keys only. The result is not checked.
 */
export function canonicalAlgorithm(name: unknown): unknown {
  return name === "Ed25519" ? "EdDSA" : name;
}

export function isAlgorithm(value: unknown): value is Algorithm {
  return (supportedAlgorithms as readonly unknown[]).includes(value);
}

/** Whether `value` is an algorithm that only a newer version of Node can verify. */
export function needsNewerNode(value: unknown): boolean {
  return typeof value === "string" && Object.hasOwn(algorithmTable, value) && !isAlgorithm(value);
}

export function algorithmFacts(algorithm: Algorithm): AlgorithmFacts {
  return algorithmTable[algorithm];
}

/** The length of a digest: the minimum for an HMAC secret (RFC 7518 §3.2), and the exact length of a PSS salt (§3.5). */
export function digestBytes(hash: "sha256" | "sha384" | "sha512"): number {
  return Number(hash.slice(3)) / 8;
}
