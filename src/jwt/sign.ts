import { generateKeyPair, type KeyObject } from "node:crypto";
import { promisify } from "node:util";
import { calculateJwkThumbprint } from "jose/jwk/thumbprint";
import { HoldfastError } from "../core/errors.ts";
import type { JwtClaims } from "../core/verdict.ts";
import { algorithmFacts, type Algorithm } from "./algorithms.ts";
import { importSigningKey, signCompact, type SigningKey } from "./signing-key.ts";

export { importSigningKey, signBytes, signCompact, type Jwk, type SigningKey } from "./signing-key.ts";

const RSA_MODULUS_BITS = 2048;

async function generatePrivateKey(algorithm: Algorithm): Promise<KeyObject> {
  const { family, kty, curve } = algorithmFacts(algorithm);
  const generate = promisify(generateKeyPair);
  if (kty === "RSA") return (await generate("rsa", { modulusLength: RSA_MODULUS_BITS })).privateKey;
  if (kty === "EC") return (await generate("ec", { namedCurve: curve as string })).privateKey;
  if (kty === "OKP") return (await generate("ed25519")).privateKey;
  if (family === "ML-DSA") return (await generate(algorithm.toLowerCase() as "ml-dsa-44")).privateKey;
  throw new HoldfastError("invalid_key", `a signing key serves an asymmetric algorithm; not ${algorithm}`);
}

/** Generates a key for one asymmetric algorithm, off the main thread. An RSA key has 2048 bits. */
export async function generateSigningKey(algorithm: Algorithm): Promise<SigningKey> {
  const jwk = (await generatePrivateKey(algorithm)).export({ format: "jwk" });
  const kid = await calculateJwkThumbprint(jwk);
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
