import { createHmac, timingSafeEqual, verify } from "node:crypto";
import { algorithmFacts } from "./algorithms.ts";
import type { VerificationKey } from "./jwk-set.ts";
import type { ParsedToken } from "./parse.ts";

type SignedToken = Pick<ParsedToken, "algorithm" | "signingInput" | "signature">;

/**
 * Whether `key` made the signature. A key verifies its own algorithm only, whatever the header says.
 * Synchronous: a signature costs less than a turn of the thread pool when nobody else waits.
 */
export function verifySignature(token: SignedToken, key: VerificationKey): boolean {
  if (!isCompatible(token, key)) return false;
  const { family, hash } = algorithmFacts(key.algorithm);
  const { signature } = token;
  if (family === "HS") {
    const mac = createHmac(hash as string, key.key)
      .update(token.signingInput, "latin1")
      .digest();
    return timingSafeEqual(mac, signature);
  }
  const input = Buffer.from(token.signingInput, "latin1");
  return verify(hash, input, key.key, family === "ES" ? ecdsaDer(signature) : signature);
}

/** The same on the thread pool, for any algorithm but HMAC. */
export async function verifySignatureOnThreadPool(
  token: SignedToken,
  key: VerificationKey,
): Promise<boolean> {
  if (!isCompatible(token, key)) return false;
  const { family, hash } = algorithmFacts(key.algorithm);
  const input = Buffer.from(token.signingInput, "latin1");
  const signature = family === "ES" ? ecdsaDer(token.signature) : token.signature;
  return await new Promise((resolve, reject) => {
    verify(hash, input, key.key, signature, (error, isValid) => {
      if (error === null) resolve(isValid);
      else reject(error);
    });
  });
}

function isCompatible({ algorithm, signature }: SignedToken, key: VerificationKey): boolean {
  return algorithm === key.algorithm && signature.length === key.signatureBytes;
}

/**
 * An ECDSA signature in the form of OpenSSL (RFC 3279 §2.2.3) from that of JOSE, `r ‖ s` (RFC 7518 §3.4). On Node
 * 24 the option of node:crypto that does the same costs 20 µs. OpenSSL holds both to 1 ≤ r, s < n.
 */
function ecdsaDer(signature: Buffer): Buffer {
  const half = signature.length / 2;
  const der = Buffer.allocUnsafe(signature.length + 9);
  const middle = writeInteger(der, 3, signature, 0, half);
  const end = writeInteger(der, middle, signature, half, signature.length);
  const length = end - 3;
  const start = length < 0x80 ? 1 : 0;
  der[start] = 0x30;
  if (start === 0) der[1] = 0x81;
  der[2] = length;
  return der.subarray(start, end);
}

/** Writes the integer in `from` to `to` at `at`: without leading zeros but for the sign. Returns where it ends. */
function writeInteger(der: Buffer, at: number, digits: Buffer, from: number, to: number): number {
  let first = from;
  while (first < to - 1 && digits[first] === 0) first++;
  const sign = (digits[first] as number) >> 7;
  der[at] = 0x02;
  der[at + 1] = to - first + sign;
  der[at + 2] = 0;
  const start = at + 2 + sign;
  digits.copy(der, start, first, to);
  return start + to - first;
}
