import { createPrivateKey, generateKeyPair, hash, type KeyObject } from "node:crypto";
import { promisify } from "node:util";
import { systemEntropy, type Entropy } from "../core/entropy.ts";
import { HoldfastError } from "../core/errors.ts";
import type { JwtClaims } from "../core/verdict.ts";
import { algorithmFacts, type Algorithm } from "./algorithms.ts";
import { importSigningKey, signCompact, type SigningKey } from "./signing-key.ts";

export { importSigningKey, signBytes, signCompact, type Jwk, type SigningKey } from "./signing-key.ts";

const RSA_MODULUS_BITS = 2048;

/** A PKCS #8 document (RFC 8410 §7) up to the 32 bytes of an Ed25519 key. */
const ED25519_PKCS8_HEAD = Buffer.from("302e020100300506032b657004220420", "hex");

async function generatePrivateKey(algorithm: Algorithm, entropy: Entropy): Promise<KeyObject> {
  const { family, kty, curve } = algorithmFacts(algorithm);
  const generate = promisify(generateKeyPair);
  if (kty === "RSA") return (await generate("rsa", { modulusLength: RSA_MODULUS_BITS })).privateKey;
  if (kty === "EC") return (await generate("ec", { namedCurve: curve as string })).privateKey;
  // Any 32 random bytes are a key (RFC 8032 §5.1.5).
  if (kty === "OKP") {
    const key = Buffer.concat([ED25519_PKCS8_HEAD, entropy.bytes(32)]);
    return createPrivateKey({ key, format: "der", type: "pkcs8" });
  }
  if (family === "ML-DSA") return (await generate(algorithm.toLowerCase() as "ml-dsa-44")).privateKey;
  throw new HoldfastError("invalid_key", `a signing key serves an asymmetric algorithm; not ${algorithm}`);
}

/** The members that identify a public key (RFC 7638 §3.2, RFC 8037 §2), in the order of the digest. */
const THUMBPRINT_MEMBERS: Readonly<Record<string, readonly string[]>> = {
  EC: ["crv", "kty", "x", "y"],
  RSA: ["e", "kty", "n"],
  OKP: ["crv", "kty", "x"],
  AKP: ["alg", "kty", "pub"],
};

/** The SHA-256 thumbprint of a key (RFC 7638), synchronously. */
function computeThumbprint(jwk: Readonly<Record<string, unknown>>): string {
  const members = THUMBPRINT_MEMBERS[String(jwk["kty"])] ?? [];
  return hash("sha256", JSON.stringify(jwk, [...members]), "base64url");
}

/**
 * Generates a key for one asymmetric algorithm. An RSA key has 2048 bits. Only an EdDSA key is made of `entropy`, at once;
 * OpenSSL makes the others off the main thread.
 */
export async function generateSigningKey(
  algorithm: Algorithm,
  entropy: Entropy = systemEntropy,
): Promise<SigningKey> {
  const jwk = (await generatePrivateKey(algorithm, entropy)).export({ format: "jwk" });
  const kid = computeThumbprint(jwk);
  return importSigningKey({ ...jwk, kid, alg: algorithm, use: "sig" });
}

/** Signs an access token with exactly these claims. The default `typ` is that of RFC 9068 §2.1. */
export function signToken(
  claims: Readonly<JwtClaims>,
  key: SigningKey,
  header: { typ: string } = { typ: "at+jwt" },
): string {
  const joined = JSON.stringify({ alg: key.algorithm, kid: key.kid, ...header });
  return signCompact(joined, JSON.stringify(claims), key.algorithm, key.key);
}
