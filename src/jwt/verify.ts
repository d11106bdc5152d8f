import { createHmac, timingSafeEqual, verify, type KeyObject } from "node:crypto";
import { algorithmFacts } from "./algorithms.ts";
import type { VerificationKey } from "./jwk-set.ts";
import type { ParsedToken } from "./parse.ts";

/** Orders of the curves' base points (FIPS 186-4, D.1.2), big-endian, as long as `r` and `s`. */
const curveOrders: Readonly<Record<string, Buffer>> = {
  "P-256": Buffer.from("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551", "hex"),
  "P-384": Buffer.from(
    "ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973",
    "hex",
  ),
  "P-521": Buffer.from(
    "01fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffa" +
      "51868783bf2f966b7fcc0148f709a5d03bb5c9b8899c47aebb6fb71e91386409",
    "hex",
  ),
};

/**
 * Whether `key` made the signature. A key verifies its own algorithm only, whatever the header says.
 * Synchronous: a signature costs less than a turn of the thread pool when nobody else waits.
 */
export function verifySignature(
  token: Pick<ParsedToken, "algorithm" | "signingInput" | "signature">,
  key: VerificationKey,
): boolean {
  if (token.algorithm !== key.algorithm) return false;
  const { family, hash, curve, signatureBytes } = algorithmFacts(key.algorithm);
  const { signature } = token;
  if (signature.length !== (signatureBytes ?? modulusBytes(key.key))) return false;
  if (family === "HS") {
    const mac = createHmac(hash as string, key.key)
      .update(token.signingInput, "latin1")
      .digest();
    return timingSafeEqual(mac, signature);
  }
  const input = Buffer.from(token.signingInput, "latin1");
  if (family !== "ES") return verify(hash, input, key.key, signature);
  const der = ecdsaDer(signature, curveOrders[curve as string] as Buffer);
  return der !== null && verify(hash, input, key.key, der);
}

/** How long an RSA signature must be (RFC 8017 §8.1.2): OpenSSL would take one without its leading zeros for PSS. */
function modulusBytes(key: KeyObject): number {
  return Math.ceil((key.asymmetricKeyDetails?.modulusLength ?? 0) / 8);
}

/**
 * An ECDSA signature in the form of OpenSSL (RFC 3279 §2.2.3) from that of JOSE, `r ‖ s` (RFC 7518 §3.4): several
 * times faster here than to let node:crypto do it. `null` unless 1 ≤ r, s < order.
 */
function ecdsaDer(signature: Buffer, order: Buffer): Buffer | null {
  const half = order.length;
  const r = derLength(signature, 0, order);
  const s = derLength(signature, half, order);
  if (r === 0 || s === 0) return null;
  const length = r + s + 4;
  const der = Buffer.allocUnsafe(length + (length > 127 ? 3 : 2));
  let at = 0;
  der[at++] = 0x30;
  if (length > 127) der[at++] = 0x81;
  der[at++] = length;
  at = writeInteger(der, at, r, signature, half);
  writeInteger(der, at, s, signature, 2 * half);
  return der;
}

/** How many bytes DER needs for the integer at `start`: no leading zeros but for the sign. 0 when out of range. */
function derLength(signature: Buffer, start: number, order: Buffer): number {
  const end = start + order.length;
  if (signature.compare(order, 0, order.length, start, end) >= 0) return 0;
  let first = start;
  while (signature[first] === 0) if (++first === end) return 0;
  return end - first + ((signature[first] as number) >> 7);
}

/** Writes the integer that ends at `end` of the signature, as `length` bytes; returns where it stopped. */
function writeInteger(der: Buffer, start: number, length: number, signature: Buffer, end: number): number {
  let at = start;
  der[at++] = 0x02;
  der[at++] = length;
  let digits = length;
  if (length > signature.length >> 1) {
    der[at++] = 0;
    digits--;
  }
  for (let from = end - digits; from < end; from++) der[at++] = signature[from] as number;
  return at;
}
