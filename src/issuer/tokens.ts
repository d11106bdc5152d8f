import type { JwtClaims } from "../core/verdict.ts";
import { signToken, type SigningKey } from "../jwt/sign.ts";
import type { SessionFacts, SessionRecord } from "../stores/contracts.ts";
import type { Context } from "./context.ts";
import { isOurSession, signSession } from "./records.ts";
import { newSessionId, type RefreshToken } from "./refresh-token.ts";
import type { Identity, TokenResponse } from "./types.ts";

/** `client_id` of sessions that began with `login`. */
const FIRST_PARTY = "holdfast";
const DEVICE_CHARS = 256;

/** How far ahead `iat` may lie: a subject's cut-off moves it by a second or two, and every guard tolerates this much. */
const IAT_AHEAD_MS = 5_000;

/** What `SessionFacts.facts` says, as JSON. */
interface SessionContent {
  readonly scopes: readonly string[];
  readonly claims: Readonly<Record<string, unknown>>;
  readonly client: string;
  readonly device: string | null;
}

/** A session record whose MAC was checked: the only kind that anything is signed for. */
export interface ProvenSession extends SessionRecord {
  readonly content: SessionContent;
}

/** The unchanging part of a new session. */
export function newSessionFacts(
  ctx: Context,
  identity: Identity,
  authAt: number,
  device: string | undefined,
): SessionFacts {
  const content: SessionContent = {
    scopes: identity.scopes,
    claims: identity.claims ?? {},
    client: FIRST_PARTY,
    device: device?.slice(0, DEVICE_CHARS) ?? null,
  };
  return signSession(ctx.secrets, {
    id: newSessionId(),
    subject: identity.subject,
    authAt,
    absoluteExpiresAt: authAt + ctx.config.refreshAbsoluteMs,
    facts: JSON.stringify(content),
  });
}

/** `null` and an alarm when the record is not as we made it, or not the session `id`. */
export async function provenSession(
  ctx: Context,
  record: SessionRecord,
  id: string,
): Promise<ProvenSession | null> {
  if (!isOurSession(ctx.secrets, record, id)) {
    await ctx.record.audit("record_tampered", { session: id, detail: "session" });
    return null;
  }
  return { ...record, content: JSON.parse(record.facts) as SessionContent };
}

/**
 * RFC 9068 §2.2. The same session and generation give the same claims, however often they are asked for; only when
 * the clock was set back, or somebody wrote to the store, `iat` is our own time: a token from the future helps nobody.
 */
function accessClaims(ctx: Context, session: ProvenSession): JwtClaims & { iat: number; exp: number } {
  const { scopes, claims, client } = session.content;
  const now = ctx.clock.now();
  const ahead = session.issuedAtS * 1000 - now > IAT_AHEAD_MS;
  const iat = ahead ? Math.floor(now / 1000) : session.issuedAtS;
  const lifeS = Math.floor(ctx.config.accessTokenTtlMs / 1000);
  return {
    ...claims,
    iss: ctx.config.url,
    sub: session.subject,
    aud: ctx.config.audience,
    exp: Math.min(iat + lifeS, Math.floor(session.absoluteExpiresAt / 1000)),
    iat,
    jti: `${session.id}.${session.generation}`,
    client_id: client,
    scope: scopes.join(" "),
    sid: session.id,
    auth_time: Math.floor(session.authAt / 1000),
  };
}

export function tokenResponse(
  ctx: Context,
  signer: SigningKey,
  session: ProvenSession,
  refresh: RefreshToken,
): TokenResponse {
  const claims = accessClaims(ctx, session);
  const now = ctx.clock.now();
  const refreshEnds = Math.min(session.idleExpiresAt, session.absoluteExpiresAt);
  return {
    access_token: signToken(claims, signer),
    token_type: "Bearer",
    expires_in: Math.max(0, claims.exp - Math.max(claims.iat, Math.floor(now / 1000))),
    refresh_token: refresh.text,
    refresh_token_expires_in: Math.max(0, Math.floor((refreshEnds - now) / 1000)),
    session_id: session.id,
    scope: session.content.scopes.join(" "),
  };
}
