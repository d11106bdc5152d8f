import { constants, createHmac, createPrivateKey, sign, type KeyObject } from "node:crypto";
import { HoldfastError } from "../core/errors.ts";
import { algorithmFacts, isAlgorithm, type Algorithm } from "./algorithms.ts";
import { importJwk } from "./jwk.ts";

/** A JWK (RFC 7517 §4) of a signing key, public or private. */
export interface Jwk {
  readonly kid: string;
  readonly alg: Algorithm;
  readonly use: "sig";
  readonly kty: string;
  readonly [member: string]: unknown;
}

export interface SigningKey {
  /** The thumbprint of the public key (RFC 7638). */
  readonly kid: string;
  readonly algorithm: Algorithm;
  /** Contains the private key. It must leave memory only in sealed form. */
  readonly privateJwk: Jwk;
  readonly publicJwk: Jwk;
  readonly key: KeyObject;
}

/** Imports a key from its `privateJwk`. Throws `invalid_key`. */
export function importSigningKey(jwk: Readonly<Record<string, unknown>>): SigningKey {
  const { kid, alg, kty, crv, n, e, x, y, pub } = jwk;
  if (typeof kid !== "string" || !isAlgorithm(alg)) {
    throw new HoldfastError("invalid_key", "a signing key must have a kid and an alg that is supported");
  }
  const publicJwk = Object.fromEntries(
    Object.entries({ kty, crv, n, e, x, y, pub, kid, alg, use: "sig" }).filter(
      ([, value]) => value !== undefined,
    ),
  ) as unknown as Jwk;
  const checked = importJwk(publicJwk, [alg]);
  if (typeof checked === "string") throw new HoldfastError("invalid_key", `the signing key ${checked}`);
  let key: KeyObject;
  try {
    key = createPrivateKey({ key: jwk, format: "jwk" });
  } catch {
    throw new HoldfastError("invalid_key", "the signing key is malformed, or not a private key");
  }
  return { kid, algorithm: alg, privateJwk: { ...jwk, kid, alg, use: "sig" } as Jwk, publicJwk, key };
}

/** Signs `input`, an ASCII text, synchronously. The signature has the form that JOSE requires (RFC 7518 §3). */
export function signBytes(algorithm: Algorithm, key: KeyObject, input: string): Buffer {
  const { family, hash, signatureBytes } = algorithmFacts(algorithm);
  if (family === "HS")
    return createHmac(hash as string, key)
      .update(input, "latin1")
      .digest();
  const bytes = Buffer.from(input, "latin1");
  if (family === "ES") return joseForm(sign(hash, bytes, key), signatureBytes as number);
  if (family !== "PS") return sign(hash, bytes, key);
  const { RSA_PKCS1_PSS_PADDING: padding, RSA_PSS_SALTLEN_DIGEST: saltLength } = constants;
  return sign(hash, bytes, { key, padding, saltLength });
}

/**
 * Converts an ECDSA signature from the form of OpenSSL (RFC 3279 §2.2.3) to that of JOSE, `r ‖ s` (RFC 7518 §3.4). On
 * Node 24 the equivalent option of node:crypto costs 20 µs.
 */
function joseForm(der: Buffer, size: number): Buffer {
  const half = size / 2;
  const out = Buffer.alloc(size);
  // The length of the sequence takes one byte below 128, and two bytes otherwise.
  let at = (der[1] as number) < 0x80 ? 2 : 3;
  for (const end of [half, size]) {
    const length = der[at + 1] as number;
    const start = at + 2;
    at = start + length;
    // A leading zero keeps the integer positive. A shorter integer has lost its leading zeros.
    const digits = der.subarray(Math.max(start, at - half), at);
    digits.copy(out, end - digits.length);
  }
  return out;
}

/** Signs any header and payload in the compact serialization (RFC 7515 §7.1), without a check of either. */
export function signCompact(header: string, payload: string, algorithm: Algorithm, key: KeyObject): string {
  const input = `${Buffer.from(header).toString("base64url")}.${Buffer.from(payload).toString("base64url")}`;
  return `${input}.${signBytes(algorithm, key, input).toString("base64url")}`;
}
