import { timingSafeEqual, verify } from "node:crypto";
import { algorithmFacts } from "./algorithms.ts";
import type { VerificationKey } from "./jwk-set.ts";
import type { ParsedToken } from "./parse.ts";
import { verifyPss } from "./rsa-pss.ts";

type SignedToken = Pick<ParsedToken, "algorithm" | "signingInput" | "signature">;

/**
 * Whether `key` made the signature. A key verifies only its own algorithm, whatever the header says. The check is
 * synchronous, because one verification costs less than a round trip through an idle thread pool.
 */
export function verifySignature(token: SignedToken, key: VerificationKey): boolean {
  if (!isCompatible(token, key)) return false;
  const { family, hash } = algorithmFacts(key.algorithm);
  const { signature } = token;
  if (key.hmac !== null) return timingSafeEqual(key.hmac.digestAscii(token.signingInput), signature);
  const input = Buffer.from(token.signingInput, "latin1");
  if (key.pssPem !== null) return verifyPss(hash as string, input, key.pssPem, signature);
  return verify(hash, input, key.key, family === "ES" ? ecdsaDer(signature) : signature);
}

/** Like {@link verifySignature}, but on the thread pool. Supports every algorithm except HMAC. */
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
 * Converts an ECDSA signature from the form of JOSE, `r ‖ s` (RFC 7518 §3.4), to that of OpenSSL (RFC 3279 §2.2.3). On
 * Node 24 the equivalent option of node:crypto costs 20 µs. OpenSSL checks that 1 ≤ r, s < n.
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

/** Writes `digits` from `from` to `to` as a DER integer at `at`, with the fewest leading zeros. Returns its end. */
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
