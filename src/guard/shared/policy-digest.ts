import { hash } from "node:crypto";
import type { Algorithm } from "../../jwt/algorithms.ts";
import type { ClaimsPolicy } from "../../jwt/claims.ts";

/**
 * A digest of all that decides what an answer is worth to a guard, besides the token and the time. Who is asked, and as
 * whom, is part of it: an authority may answer each of its clients something else (RFC 7662 §2.2).
 */
export function policyDigest(
  { issuer, audience, types, requireTyp, requiredClaims }: ClaimsPolicy,
  algorithms: readonly Algorithm[],
  authority: string,
): string {
  const sorted = [audience, types, requiredClaims, algorithms].map((names) => names?.toSorted() ?? null);
  return hash("sha256", JSON.stringify([issuer, requireTyp, sorted, authority]), "base64url");
}
