import type { JwtClaims, ValidVerdict } from "../core/verdict.ts";

/**
 * Identifies whose token it is. `null` when the token names no one.
 *
 * The issuer is part of the key, because a subject is unique only within its issuer. Some providers issue tokens of users
 * without `sub`, as Keycloak does for clients without the scope `basic`. Session and client identify such a token, and all
 * of them must be the same. The client stands in `azp` (OpenID Connect Core §2) or `client_id` (RFC 9068 §2.2).
 */
export function identityKey<C>({ claims, subject, sessionId }: ValidVerdict<C>): string | null {
  const { iss, azp, client_id: clientId } = claims as JwtClaims;
  if (subject !== "") return JSON.stringify([iss, subject]);
  const client = azp ?? clientId;
  return sessionId === undefined && client === undefined
    ? null
    : JSON.stringify([iss, null, sessionId ?? null, client ?? null]);
}
