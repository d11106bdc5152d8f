import type { Context } from "../context.ts";
import { readRefreshToken, refreshTokenDigest, type RefreshToken } from "../refresh-token.ts";
import { endOf, findSession, isLive } from "../session-record.ts";
import { endSession, endSubject, liveSessions } from "../sessions.ts";
import type { Call } from "./call.ts";
import { hasBearer, requireBearer } from "./authorization.ts";
import { readBody, refreshTokenBody } from "./body.ts";
import { invalidGrant, json, noContent, problem, refusal } from "./respond.ts";

/** Who is logging out: the bearer's session, or the one that a refresh token with a good MAC names. */
export async function logoutEndpoint(ctx: Context, { request, origin }: Call): Promise<Response> {
  const { source } = origin;
  if (hasBearer(request)) {
    const session = await requireBearer(ctx, request);
    await endSession(ctx, session.id, "logout", { subject: session.subject, source });
  } else {
    const token = await presentedToken(ctx, request);
    // RFC 7009 §2.2: one that is not ours has nothing left to end.
    if (token !== null) await endSession(ctx, token.session, "logout", { source });
  }
  return noContent();
}

export async function logoutAllEndpoint(ctx: Context, { request, origin }: Call): Promise<Response> {
  const subject = hasBearer(request)
    ? (await requireBearer(ctx, request)).subject
    : await subjectOfToken(ctx, await presentedToken(ctx, request));
  if (subject !== null) await endSubject(ctx, subject, "logout_all", origin.source);
  return noContent();
}

async function presentedToken(ctx: Context, request: Request): Promise<RefreshToken | null> {
  const body = await readBody(ctx, request, refreshTokenBody);
  return readRefreshToken(ctx.secrets, body.refresh_token);
}

/** Only a token that still counts may speak for the user. `null`: a repeated request, whose work is done. */
async function subjectOfToken(ctx: Context, token: RefreshToken | null): Promise<string | null> {
  const session = token && (await findSession(ctx, token.session));
  if (token === null || session === null) throw refusal(invalidGrant());
  if (session.endReason === "logout_all") return null;
  const known = [session.currentDigest, session.previousDigest].includes(refreshTokenDigest(token));
  if (known && isLive(session, ctx.clock.now())) return session.subject;
  throw refusal(invalidGrant());
}

/** Dates on the wire are epoch seconds. */
export async function listEndpoint(ctx: Context, { request }: Call): Promise<Response> {
  const own = await requireBearer(ctx, request);
  const sessions = await liveSessions(ctx, own.subject);
  const seconds = (ms: number) => Math.floor(ms / 1000);
  return json(200, {
    sessions: sessions.map((session) => ({
      session_id: session.id,
      current: session.id === own.id,
      device: session.content.device,
      scope: session.content.scopes.join(" "),
      auth_time: seconds(session.authAt),
      last_refreshed_at: seconds(session.rotatedAt),
      expires_at: seconds(endOf(session)),
    })),
  });
}

/** Another user's session is as unknown as none. */
export async function endEndpoint(
  ctx: Context,
  { request, origin, params: { id = "" } }: Call,
): Promise<Response> {
  const { subject } = await requireBearer(ctx, request);
  const session = await findSession(ctx, id);
  if (session?.subject !== subject) throw refusal(problem(404, "not_found", "You have no such session."));
  await endSession(ctx, id, "logout", { subject, source: origin.source });
  return noContent();
}
