import type { InvalidReason } from "../core/verdict.ts";
import { checkClaims, type ClaimsPolicy } from "./claims.ts";
import type { VerificationKey } from "./jwk-set.ts";
import type { ParsedToken } from "./parse.ts";
import { verifySignature, verifySignatureOnThreadPool } from "./signature.ts";

/**
 * Whether the token proves itself: `null`, or why not, for good. The signature comes first, so that who cannot
 * sign learns nothing about the claims that are wanted. Time is `checkTime`'s, on every use.
 */
export function verifyWithKey(
  token: ParsedToken,
  key: VerificationKey,
  policy: ClaimsPolicy,
): InvalidReason | null {
  if (token.algorithm !== key.algorithm) return "wrong_algorithm";
  return verifySignature(token, key) ? checkClaims(token, policy) : "bad_signature";
}

/** The same on the thread pool, for any algorithm but HMAC. */
export async function verifyWithKeyOnThreadPool(
  token: ParsedToken,
  key: VerificationKey,
  policy: ClaimsPolicy,
): Promise<InvalidReason | null> {
  if (token.algorithm !== key.algorithm) return "wrong_algorithm";
  return (await verifySignatureOnThreadPool(token, key)) ? checkClaims(token, policy) : "bad_signature";
}
