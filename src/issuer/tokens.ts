import type { JwtClaims } from "../core/verdict.ts";
import { signToken, type SigningKey } from "../jwt/sign.ts";
import type { Foundation } from "./context.ts";
import type { RefreshToken } from "./refresh-token.ts";
import { endOf, type ProvenSession } from "./session-record.ts";
import type { TokenResponse } from "./types.ts";

/** How far ahead `iat` may lie: a subject's cut-off moves it by a second or two, and every guard tolerates this much. */
const IAT_AHEAD_MS = 5_000;

export function tokenResponse(
  base: Foundation,
  signer: SigningKey,
  session: ProvenSession,
  refresh: RefreshToken,
): TokenResponse {
  const now = base.clock.now();
  const claims = accessClaims(base, session, now);
  return {
    access_token: signToken(claims, signer),
    token_type: "Bearer",
    expires_in: Math.max(0, claims.exp - Math.max(claims.iat, Math.floor(now / 1000))),
    refresh_token: refresh.text,
    refresh_token_expires_in: Math.max(0, Math.floor((endOf(session) - now) / 1000)),
    session_id: session.id,
    scope: claims.scope,
  };
}

/**
 * RFC 9068 §2.2. The same session and generation give the same claims, however often they are asked for; only when
 * the clock was set back, or somebody wrote to the store, `iat` is our own time: a token from the future helps nobody.
 */
function accessClaims(
  { config }: Foundation,
  session: ProvenSession,
  now: number,
): JwtClaims & { iat: number; exp: number; scope: string } {
  const { scopes, claims, client } = session.content;
  const ahead = session.issuedAtS * 1000 - now > IAT_AHEAD_MS;
  const iat = ahead ? Math.floor(now / 1000) : session.issuedAtS;
  const exp = iat + Math.floor(config.accessTokenTtlMs / 1000);
  return {
    ...claims,
    iss: config.url,
    sub: session.subject,
    aud: config.audience,
    exp: Math.min(exp, Math.floor(session.absoluteExpiresAt / 1000)),
    iat,
    jti: `${session.id}.${session.generation}`,
    client_id: client,
    scope: scopes.join(" "),
    sid: session.id,
    auth_time: Math.floor(session.authAt / 1000),
  };
}
