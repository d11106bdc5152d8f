import type { InvalidReason } from "../core/verdict.ts";
import { checkClaims, type ProofPolicy } from "./claims.ts";
import type { VerificationKey } from "./jwk-set.ts";
import type { ParsedToken } from "./parse.ts";
import { verifySignature, verifySignatureOnPool } from "./verify.ts";

/**
 * Whether the token proves itself: `null`, or why not, for good. The signature comes first, so that who cannot
 * sign learns nothing about the claims that are wanted. Time is `checkTime`'s, on every use.
 */
export function prove(token: ParsedToken, key: VerificationKey, policy: ProofPolicy): InvalidReason | null {
  if (token.algorithm !== key.algorithm) return "wrong_algorithm";
  return verifySignature(token, key) ? checkClaims(token, policy) : "bad_signature";
}

/** The same on the thread pool, for any algorithm but HMAC. */
export async function proveOnPool(
  token: ParsedToken,
  key: VerificationKey,
  policy: ProofPolicy,
): Promise<InvalidReason | null> {
  if (token.algorithm !== key.algorithm) return "wrong_algorithm";
  return (await verifySignatureOnPool(token, key)) ? checkClaims(token, policy) : "bad_signature";
}
