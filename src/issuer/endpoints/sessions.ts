import type { IssuerContext } from "../context.ts";
import { parseRefreshToken, digestRefreshToken, type RefreshToken } from "../sessions/refresh-token.ts";
import { sessionExpiresAt, findSession, isLive } from "../store/session-record.ts";
import { endSession, endSubject, listLiveSessions } from "../sessions/sessions.ts";
import type { EndpointCall } from "./endpoint.ts";
import { hasBearerToken, requireSession } from "./client-auth.ts";
import { readBody, refreshTokenBody } from "./body.ts";
import { invalidGrant, jsonResponse, noContent, oauthError, asException } from "./respond.ts";

/** Who is logging out: the bearer's session, or the one that a refresh token with a good MAC names. */
export async function logoutEndpoint(
  ctx: IssuerContext,
  { request, requestInfo }: EndpointCall,
): Promise<Response> {
  const { source } = requestInfo;
  if (hasBearerToken(request)) {
    const session = await requireSession(ctx, request);
    await endSession(ctx, session.id, "logout", { subject: session.subject, source });
  } else {
    const token = await readPresentedToken(ctx, request);
    // RFC 7009 §2.2: one that is not ours has nothing left to end.
    if (token !== null) await endSession(ctx, token.session, "logout", { source });
  }
  return noContent();
}

export async function logoutAllEndpoint(
  ctx: IssuerContext,
  { request, requestInfo }: EndpointCall,
): Promise<Response> {
  const subject = hasBearerToken(request)
    ? (await requireSession(ctx, request)).subject
    : await requireSubject(ctx, await readPresentedToken(ctx, request));
  if (subject !== null) await endSubject(ctx, subject, "logout_all", requestInfo.source);
  return noContent();
}

async function readPresentedToken(ctx: IssuerContext, request: Request): Promise<RefreshToken | null> {
  const body = await readBody(ctx, request, refreshTokenBody);
  return parseRefreshToken(ctx.secrets, body.refresh_token);
}

/** Only a token that still counts may speak for the user. `null`: a repeated request, whose work is done. */
async function requireSubject(ctx: IssuerContext, token: RefreshToken | null): Promise<string | null> {
  const session = token && (await findSession(ctx, token.session));
  if (token === null || session === null) throw asException(invalidGrant());
  if (session.endReason === "logout_all") return null;
  const known = [session.currentDigest, session.previousDigest].includes(digestRefreshToken(token));
  if (known && isLive(session, ctx.clock.now())) return session.subject;
  throw asException(invalidGrant());
}

/** Dates on the wire are epoch seconds. */
export async function listSessionsEndpoint(ctx: IssuerContext, { request }: EndpointCall): Promise<Response> {
  const own = await requireSession(ctx, request);
  const sessions = await listLiveSessions(ctx, own.subject);
  const seconds = (ms: number) => Math.floor(ms / 1000);
  return jsonResponse(200, {
    sessions: sessions.map((session) => ({
      session_id: session.id,
      current: session.id === own.id,
      device: session.content.device,
      scope: session.content.scopes.join(" "),
      auth_time: seconds(session.authAt),
      last_refreshed_at: seconds(session.rotatedAt),
      expires_at: seconds(sessionExpiresAt(session)),
    })),
  });
}

/** Another user's session is as unknown as none. */
export async function endSessionEndpoint(
  ctx: IssuerContext,
  { request, requestInfo, params: { id = "" } }: EndpointCall,
): Promise<Response> {
  const { subject } = await requireSession(ctx, request);
  const session = await findSession(ctx, id);
  if (session?.subject !== subject)
    throw asException(oauthError(404, "not_found", "You have no such session."));
  await endSession(ctx, id, "logout", { subject, source: requestInfo.source });
  return noContent();
}
