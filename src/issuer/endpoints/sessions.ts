import { isLive, sessionExpiresAt } from "../../core/session.ts";
import type { IssuerContext } from "../context.ts";
import { digestRefreshToken, parseRefreshToken, type RefreshToken } from "../sessions/refresh-token.ts";
import { endSession, endSubject, listLiveSessions } from "../sessions/sessions.ts";
import { findSession } from "../store/session-record.ts";
import { readBody, refreshTokenBody } from "./body.ts";
import { hasBearerToken, requireSession } from "./client-auth.ts";
import type { EndpointCall } from "./endpoint.ts";
import { asException, emptyResponse, invalidGrant, jsonResponse, oauthError } from "./respond.ts";

/** Ends the session of the bearer token, or of a refresh token with a valid MAC. */
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
    // An unknown token is accepted, as in RFC 7009 §2.2, because the client cannot do anything about it.
    if (token !== null) await endSession(ctx, token.session, "logout", { source });
  }
  return emptyResponse(204);
}

/** Ends every session of the user. */
export async function logoutAllEndpoint(
  ctx: IssuerContext,
  { request, requestInfo }: EndpointCall,
): Promise<Response> {
  const subject = hasBearerToken(request)
    ? (await requireSession(ctx, request)).subject
    : await requireSubject(ctx, await readPresentedToken(ctx, request));
  if (subject !== null) await endSubject(ctx, subject, "logout_all", requestInfo.source);
  return emptyResponse(204);
}

async function readPresentedToken(ctx: IssuerContext, request: Request): Promise<RefreshToken | null> {
  const body = await readBody(ctx, request, refreshTokenBody);
  return parseRefreshToken(ctx.secrets, body.refresh_token);
}

/**
 * Returns the user of a current or previous refresh token. Any other token could be a stolen one, and is refused. `null`
 * when the request repeats a logout-all that has already succeeded.
 */
async function requireSubject(ctx: IssuerContext, token: RefreshToken | null): Promise<string | null> {
  const session = token && (await findSession(ctx, token.session));
  if (token === null || session === null) throw asException(invalidGrant());
  if (session.endReason === "logout_all") return null;
  const isKnown = [session.currentDigest, session.previousDigest].includes(digestRefreshToken(token));
  if (isKnown && isLive(session, ctx.clock.now())) return session.subject;
  throw asException(invalidGrant());
}

/** Lists the live sessions of the user. Times are epoch seconds. */
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

/** Ends one session of the user. A session of another user is 404, like one that does not exist. */
export async function endSessionEndpoint(
  ctx: IssuerContext,
  { request, requestInfo, params: { id = "" } }: EndpointCall,
): Promise<Response> {
  const { subject } = await requireSession(ctx, request);
  const session = await findSession(ctx, id);
  if (session?.subject !== subject) {
    throw asException(oauthError(404, "not_found", "You have no such session."));
  }
  await endSession(ctx, id, "logout", { subject, source: requestInfo.source });
  return emptyResponse(204);
}
