import type { InvalidReason } from "../core/verdict.ts";
import { checkClaims, type ClaimsPolicy } from "./claims.ts";
import type { VerificationKey } from "./jwk-set.ts";
import type { ParsedToken } from "./parse.ts";
import { verifySignature, verifySignatureOnThreadPool } from "./signature.ts";

/**
 * Verifies the signature, then the claims. `null` when both are valid, else the reason, which never changes. A forger
 * learns nothing about the required claims, because the signature comes first. `checkTime` checks time on every use.
 */
export function verifyWithKey(
  token: ParsedToken,
  key: VerificationKey,
  policy: ClaimsPolicy,
): InvalidReason | null {
  if (token.algorithm !== key.algorithm) return "wrong_algorithm";
  return verifySignature(token, key) ? checkClaims(token, policy) : "bad_signature";
}

/** Like {@link verifyWithKey}, but on the thread pool. Supports every algorithm except HMAC. */
export async function verifyWithKeyOnThreadPool(
  token: ParsedToken,
  key: VerificationKey,
  policy: ClaimsPolicy,
): Promise<InvalidReason | null> {
  if (token.algorithm !== key.algorithm) return "wrong_algorithm";
  return (await verifySignatureOnThreadPool(token, key)) ? checkClaims(token, policy) : "bad_signature";
}
