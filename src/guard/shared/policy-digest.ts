import { hash } from "node:crypto";
import type { Algorithm } from "../../jwt/algorithms.ts";
import type { ClaimsPolicy } from "../../jwt/claims.ts";

/**
 * A digest of everything that an answer depends on, apart from the token and the time. `authority` names the authority
 * and the client that asks, because an authority may answer each client differently (RFC 7662 §2.2).
 */
export function policyDigest(
  policy: ClaimsPolicy,
  algorithms: readonly Algorithm[],
  authority: string,
): string {
  const { issuer, audience, types, requireTyp, requiredClaims, claims } = policy;
  const { audienceFrom, subjectFrom, allowMissingIss } = policy;
  const sorted = [audience, types, requiredClaims, algorithms].map((names) => names?.toSorted() ?? null);
  const sources = [audienceFrom, subjectFrom, allowMissingIss];
  return hash(
    "sha256",
    JSON.stringify([issuer, requireTyp, sorted, authority, claims, sources]),
    "base64url",
  );
}
