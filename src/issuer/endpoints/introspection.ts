import type { PlainResponse } from "../../core/plain-http.ts";
import { z } from "zod";
import { isLive, sessionExpiresAt } from "../../core/session.ts";
import type { IssuerContext } from "../context.ts";
import { findPresented, isAheadOfStore, parsePresented } from "../sessions/presented-token.ts";
import { digestRefreshToken } from "../sessions/refresh-token.ts";
import type { AuthenticSession } from "../store/session-record.ts";
import { readBody, readForm, requireParameter, stringSchema } from "./body.ts";
import { authenticateClient, invalidClient, requireClient } from "./client-auth.ts";
import type { EndpointCall } from "./endpoint.ts";
import { jsonResponse } from "./respond.ts";

const tokenBody = z.object({ token: stringSchema() }, "must be an object");

/** Validates an access token for a service that does not verify tokens itself. */
export async function validateEndpoint(
  ctx: IssuerContext,
  { request, requestInfo }: EndpointCall,
): Promise<PlainResponse> {
  requireClient(ctx, { request, requestInfo });
  const { token } = await readBody(ctx, request, tokenBody);
  const access = await ctx.accessTokens.check(token);
  if (access.status === "valid") return jsonResponse(200, { valid: true, claims: access.claims });
  return jsonResponse(200, { valid: false, reason: access.reason });
}

/** RFC 7662, for services only. The response does not say why a token is inactive (§2.2). */
export async function introspectEndpoint(
  ctx: IssuerContext,
  { request, requestInfo }: EndpointCall,
): Promise<PlainResponse> {
  const form = await readForm(ctx, request);
  const client = authenticateClient(ctx, { request, requestInfo }, form);
  if (client === null) throw invalidClient();
  const token = requireParameter(form, "token");
  const description =
    (await describeRefreshToken(ctx, token, client.id, requestInfo.source)) ??
    (await describeAccessToken(ctx, token));
  return jsonResponse(200, description === null ? { active: false } : { ...description, active: true });
}

async function describeAccessToken(ctx: IssuerContext, token: string): Promise<object | null> {
  const access = await ctx.accessTokens.check(token);
  return access.status === "valid" ? { ...access.claims, token_type: "Bearer" } : null;
}

/**
 * Names the use of the token, leaves out `aud` and `scope`, and sets `token_type` to `N_A` (RFC 8693 §2.2.1), so that no
 * resource server accepts a refresh token as an access token. The refresh token of another service is unknown.
 */
async function describeRefreshToken(
  ctx: IssuerContext,
  text: string,
  clientId: string,
  source: string | undefined,
): Promise<object | null> {
  const token = await parsePresented(ctx, text, { client: clientId });
  const session = token && (await findPresented(ctx, token, source));
  if (token === null || session === null) return null;
  const now = ctx.clock.now();
  const isAhead = isAheadOfStore(token, session, now);
  if (!isAhead && !isRefreshable(session, digestRefreshToken(token), now)) return null;
  const { id: sid, subject: sub, content } = session;
  const expiresAt = isAhead && token.times !== null ? token.times.expiresAt : sessionExpiresAt(session);
  const exp = Math.floor(expiresAt / 1000);
  const kind = { token_type: "N_A", token_use: "refresh_token" };
  return { iss: ctx.config.url, sub, sid, exp, client_id: content.client, ...kind };
}

/** Whether a refresh would succeed: the token is the current one, or the previous one without a known successor. */
function isRefreshable(session: AuthenticSession, digest: string, nowMs: number): boolean {
  if (!isLive(session, nowMs)) return false;
  const { currentDigest, previousDigest, arrivedAt, lostAnswerEndsAt } = session;
  const mayRepeat = arrivedAt === null && nowMs < (lostAnswerEndsAt ?? 0);
  return digest === currentDigest || (digest === previousDigest && mayRepeat);
}
