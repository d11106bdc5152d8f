import type { PlainRequest, PlainResponse } from "../../core/plain-http.ts";
import { isLive } from "../../core/session.ts";
import { damagedSessionId } from "../../core/damaged-session.ts";
import type { SessionPosition } from "../../stores/session-store.ts";
import type { IssuerContext } from "../context.ts";
import { digestRefreshToken, type RefreshToken } from "../sessions/refresh-token.ts";
import { MAX_LISTED_SESSIONS } from "../sessions/session-position.ts";
import { findPresented, isAheadOfStore, parsePresented } from "../sessions/presented-token.ts";
import { endPresentedSession, endSessionsWith, listLiveSessions } from "../sessions/sessions.ts";
import { findToEnd, type AuthenticSession } from "../store/session-record.ts";
import { readBody, refreshTokenBody } from "./body.ts";
import { findPresentedSession, hasBearerToken, requireSession } from "./client-auth.ts";
import type { EndpointCall } from "./endpoint.ts";
import { readSessionPage, sessionPageResponse } from "./session-page.ts";
import { EndpointException, asException, emptyResponse, invalidGrant, oauthError } from "./respond.ts";

/**
 * Ends the session of a refresh token with a valid MAC, or of the access token. The refresh token of the body counts
 * first, because a stale access token must not prevent a logout. A repeated logout succeeds.
 */
export async function logoutEndpoint(
  ctx: IssuerContext,
  { request, requestInfo }: EndpointCall,
): Promise<PlainResponse> {
  const { source } = requestInfo;
  const token = await readPresentedToken(ctx, request);
  if (token !== undefined && token !== null) {
    await endPresentedSession(ctx, token.session, { source });
    return emptyResponse(204);
  }
  const found = await findPresentedSession(ctx, request).catch((error: unknown) => {
    // The token was verified before its session was read, so it proves whose logout this is.
    const damaged = damagedSessionId(error);
    if (damaged !== null) return { status: "damaged", id: damaged } as const;
    throw error;
  });
  if (found.status === "damaged") await endPresentedSession(ctx, found.id, { source });
  if (found.status === "live") {
    await endPresentedSession(ctx, found.session.id, { subject: found.session.subject, source });
  }
  // An unknown refresh token is accepted, as in RFC 7009 §2.2, because the client cannot do anything about it.
  if (found.status === "refused" && token === undefined) throw found.exception;
  return emptyResponse(204);
}

/** Ends every session of the user. */
export async function logoutAllEndpoint(
  ctx: IssuerContext,
  { request, requestInfo }: EndpointCall,
): Promise<PlainResponse> {
  const { source } = requestInfo;
  const session = await requireOwnSession(ctx, request, await readPresentedToken(ctx, request), source);
  if (session !== null) await endSessionsWith(ctx, session, source);
  return emptyResponse(204);
}

/**
 * Reads the refresh token of the body. `null` when its MAC is not valid. `undefined` when a request with an access token
 * has no such body.
 */
async function readPresentedToken(
  ctx: IssuerContext,
  request: PlainRequest,
): Promise<RefreshToken | null | undefined> {
  try {
    const body = await readBody(ctx, request, refreshTokenBody);
    return await parsePresented(ctx, body.refresh_token, "any client");
  } catch (error) {
    const status = error instanceof EndpointException ? error.response.status : undefined;
    const hasNoToken = status === 400 || status === 415;
    if (hasNoToken && hasBearerToken(request)) return undefined;
    throw error;
  }
}

/** Returns the session of the user whose sessions end. `null` when the request repeats a logout-all that has already succeeded. */
async function requireOwnSession(
  ctx: IssuerContext,
  request: PlainRequest,
  token: RefreshToken | null | undefined,
  source: string | undefined,
): Promise<AuthenticSession | null> {
  const named = token ? await findOwnSession(ctx, token, source) : undefined;
  if (named !== undefined) return named;
  const found = await findPresentedSession(ctx, request);
  if (found.status === "live") return found.session;
  if (found.status === "ended" && found.session.endReason === "logout_all") return null;
  throw token === undefined ? found.exception : asException(invalidGrant());
}

/**
 * Returns the session of a current refresh token, of one that is ahead of the store, or of a previous one that is not proven spent. Any other token could be a stolen one: `undefined`. `null`
 * when an earlier logout-all has ended the session.
 */
async function findOwnSession(
  ctx: IssuerContext,
  token: RefreshToken,
  source: string | undefined,
): Promise<AuthenticSession | null | undefined> {
  const session = await findPresented(ctx, token, source);
  if (session === null) return undefined;
  if (session.endReason === "logout_all") return null;
  const now = ctx.clock.now();
  if (isAheadOfStore(token, session, now)) return session;
  if (!isLive(session, now)) return undefined;
  const digest = digestRefreshToken(token);
  if (digest === session.currentDigest) return session;
  return digest === session.previousDigest && !(await isProvenSpent(ctx, session)) ? session : undefined;
}

/** Whether a refresh with the previous token would be reuse: its successor arrived at least `conflictMs` ago. */
async function isProvenSpent(ctx: IssuerContext, { arrivedAt }: AuthenticSession): Promise<boolean> {
  return arrivedAt !== null && (await ctx.store.now()) >= arrivedAt + ctx.config.conflictMs;
}

/** Lists a page of the live sessions of the user, newest first. Times are epoch seconds. */
export async function listSessionsEndpoint(
  ctx: IssuerContext,
  { request }: EndpointCall,
): Promise<PlainResponse> {
  const own = await requireSession(ctx, request);
  const page = readSessionPage(request);
  const { sessions, ...rest } = await listLiveSessions(ctx, own.subject, page);
  return sessionPageResponse(
    sessions.map((session) => ({ session, current: session.id === own.id })),
    rest,
  );
}

/** Ends one session of the user. A session of another user is 404, like one that does not exist. */
export async function endSessionEndpoint(
  ctx: IssuerContext,
  { request, requestInfo, params: { id = "" } }: EndpointCall,
): Promise<PlainResponse> {
  const { subject } = await requireSession(ctx, request);
  const session = await findToEnd(ctx, id);
  const isOwn = session === "damaged" ? await isListed(ctx, subject, id) : session?.subject === subject;
  if (!isOwn) {
    throw asException(oauthError(404, "not_found", "You have no such session."));
  }
  await endPresentedSession(ctx, id, { subject, source: requestInfo.source });
  return emptyResponse(204);
}

/** Whether the store lists the session among those of the subject. A damaged record cannot tell whose it is. */
async function isListed(ctx: IssuerContext, subject: string, id: string): Promise<boolean> {
  for (let after: SessionPosition | null = null; ;) {
    const { unreadable, next } = await listLiveSessions(ctx, subject, { after, limit: MAX_LISTED_SESSIONS });
    if (unreadable.includes(id)) return true;
    if (next === null) return false;
    after = next;
  }
}
