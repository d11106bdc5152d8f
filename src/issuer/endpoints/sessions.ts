import { z } from "zod";
import type { Context } from "../context.ts";
import { readRefreshToken } from "../refresh-token.ts";
import { endSession, endSubject, liveSessions, sessionOfToken } from "../sessions.ts";
import { provenSession } from "../tokens.ts";
import { hasBearer, requireBearer } from "./authorization.ts";
import { readBody } from "./body.ts";
import { invalidGrant, json, noContent, problem } from "./respond.ts";
import type { Call, Endpoint } from "./app.ts";

const tokenBody = z.object({ refresh_token: z.string("must be a string") }, "must be an object");

/** Who is logging out: the bearer's session, or the one that a refresh token with a good MAC names. */
export function logoutEndpoint(ctx: Context): Endpoint {
  return async (call) => {
    const source = call.origin.source ?? null;
    if (hasBearer(call.request)) {
      const access = await requireBearer(call.tokens, call.request);
      if (access instanceof Response) return access;
      const { id, subject } = access.session;
      await endSession(ctx, id, "logout", { subject, source });
      return noContent();
    }
    const body = await readBody(call.request, tokenBody);
    if (body instanceof Response) return body;
    const token = readRefreshToken(ctx.secrets, body.refresh_token);
    // RFC 7009 §2.2: one that is not ours has nothing left to end.
    if (token !== null) await endSession(ctx, token.session, "logout", { source });
    return noContent();
  };
}

export function logoutAllEndpoint(ctx: Context): Endpoint {
  return async (call) => {
    const subject = hasBearer(call.request) ? await bearerSubject(call) : await tokenSubject(ctx, call);
    if (subject instanceof Response) return subject;
    if (subject !== null) await endSubject(ctx, subject, "logout_all", call.origin.source ?? null);
    return noContent();
  };
}

async function bearerSubject(call: Call): Promise<string | Response> {
  const access = await requireBearer(call.tokens, call.request);
  return access instanceof Response ? access : access.session.subject;
}

/** Only a token that still counts may speak for the user. `null`: a repeated request, whose work is done. */
async function tokenSubject(ctx: Context, call: Call): Promise<string | null | Response> {
  const body = await readBody(call.request, tokenBody);
  if (body instanceof Response) return body;
  const token = readRefreshToken(ctx.secrets, body.refresh_token);
  const found = token && (await sessionOfToken(ctx, token));
  if (found?.current === true) return found.session.subject;
  return found?.session.endReason === "logout_all" ? null : invalidGrant();
}

/** Dates on the wire are epoch seconds. */
export function listEndpoint(ctx: Context): Endpoint {
  return async ({ request, tokens }) => {
    const access = await requireBearer(tokens, request);
    if (access instanceof Response) return access;
    const sessions = await liveSessions(ctx, access.session.subject);
    const seconds = (ms: number) => Math.floor(ms / 1000);
    return json(200, {
      sessions: sessions.map((session) => ({
        session_id: session.id,
        current: session.id === access.session.id,
        device: session.content.device,
        scope: session.content.scopes.join(" "),
        auth_time: seconds(session.authAt),
        last_refreshed_at: seconds(session.rotatedAt),
        expires_at: seconds(Math.min(session.idleExpiresAt, session.absoluteExpiresAt)),
      })),
    });
  };
}

/** Another user's session is as unknown as none. */
export function endEndpoint(ctx: Context): Endpoint {
  return async ({ request, origin, tokens, params }) => {
    const access = await requireBearer(tokens, request);
    if (access instanceof Response) return access;
    const { subject } = access.session;
    const id = params["id"] ?? "";
    const record = await ctx.store.sessions.get(id);
    const session = record?.subject === subject ? await provenSession(ctx, record, id) : null;
    if (session === null) return problem(404, "not_found", "You have no such session.");
    await endSession(ctx, id, "logout", { subject, source: origin.source ?? null });
    return noContent();
  };
}
