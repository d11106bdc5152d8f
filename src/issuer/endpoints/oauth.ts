import { FIRST_PARTY_CLIENT_ID } from "../config.ts";
import type { IssuerContext } from "../context.ts";
import { MAX_CLOCK_TOLERANCE_MS } from "../issuer-base.ts";
import { parseRefreshToken, digestRefreshToken } from "../sessions/refresh-token.ts";
import { refreshWithScopes } from "../sessions/refresh.ts";
import { revoke } from "../sessions/revoke.ts";
import { isScopeToken, narrowScope } from "../../core/scopes.ts";
import { sessionExpiresAt, findSession, isLive, type AuthenticSession } from "../store/session-record.ts";
import { endSession } from "../sessions/sessions.ts";
import { createClientTokenResponse } from "../sessions/token-response.ts";
import type { Client } from "../types.ts";
import type { EndpointCall } from "./endpoint.ts";
import { authenticateClient, invalidClient } from "./client-auth.ts";
import { requireParameter, readForm } from "./body.ts";
import { jsonResponse, oauthError } from "./respond.ts";
import { refreshResponse } from "./tokens.ts";

/** RFC 6749 §6 and §4.4. A public client refreshes first-party sessions as `/auth/refresh` does; so may a service. */
export async function tokenEndpoint(
  ctx: IssuerContext,
  { request, requestInfo }: EndpointCall,
): Promise<Response> {
  const form = await readForm(ctx, request);
  const client = authenticateClient(ctx, request, form);
  const grant = requireParameter(form, "grant_type");
  const asked = form.get("scope")?.split(" ");
  if (asked?.every(isScopeToken) === false) return invalidScope();
  if (grant === "client_credentials") return await clientCredentialsGrant(ctx, client, asked);
  if (grant !== "refresh_token") {
    return oauthError(400, "unsupported_grant_type", "The grant is refresh_token or client_credentials.");
  }
  const outcome = await refreshWithScopes(ctx, requireParameter(form, "refresh_token"), requestInfo, asked);
  return outcome.status === "invalid_scope" ? invalidScope() : refreshResponse(outcome);
}

async function clientCredentialsGrant(
  ctx: IssuerContext,
  client: Required<Client> | null,
  asked: readonly string[] | undefined,
): Promise<Response> {
  if (client === null) throw invalidClient();
  const scopes = narrowScope(client.scopes, asked);
  if (scopes === null) return invalidScope();
  const signer = await ctx.keys.signer();
  const after = await ctx.accessTokens.revocations.subjectCutOff(client.id);
  return jsonResponse(200, createClientTokenResponse(ctx, signer, { id: client.id, scopes, cutOffS: after }));
}

function invalidScope(): Response {
  return oauthError(400, "invalid_scope", "This is more than may be granted here.");
}

/** RFC 7662, for services only. Whatever is not, or no longer, good is inactive, and nothing is said about it. */
export async function introspectEndpoint(ctx: IssuerContext, { request }: EndpointCall): Promise<Response> {
  const form = await readForm(ctx, request);
  if (authenticateClient(ctx, request, form) === null) throw invalidClient();
  const token = requireParameter(form, "token");
  const facts = (await describeRefreshToken(ctx, token)) ?? (await describeAccessToken(ctx, token));
  return jsonResponse(200, facts === null ? { active: false } : { ...facts, active: true });
}

async function describeAccessToken(ctx: IssuerContext, token: string): Promise<object | null> {
  const access = await ctx.accessTokens.check(token);
  return access.status === "valid" ? { ...access.claims, token_type: "Bearer" } : null;
}

/** Without audience and scope, and of another type (RFC 8693 §2.2.1): nobody takes it for an access token. */
async function describeRefreshToken(ctx: IssuerContext, text: string): Promise<object | null> {
  const token = parseRefreshToken(ctx.secrets, text);
  const session = token && (await findSession(ctx, token.session));
  if (token === null || session === null) return null;
  if (!isRefreshable(session, digestRefreshToken(token), ctx.clock.now())) return null;
  const { id: sid, subject: sub, content } = session;
  const exp = Math.floor(sessionExpiresAt(session) / 1000);
  return { iss: ctx.config.url, sub, sid, exp, client_id: content.client, token_type: "N_A" };
}

/** Whether a refresh with it would bring tokens: it is current, or within grace the one before. */
function isRefreshable(session: AuthenticSession, digest: string, nowMs: number): boolean {
  if (!isLive(session, nowMs)) return false;
  const { currentDigest, previousDigest, graceEndsAt } = session;
  return digest === currentDigest || (digest === previousDigest && nowMs < (graceEndsAt ?? 0));
}

/** RFC 7009: 200 when nothing is left of the token, durably; for one that is not ours there never was. */
export async function revokeEndpoint(
  ctx: IssuerContext,
  { request, requestInfo }: EndpointCall,
): Promise<Response> {
  const form = await readForm(ctx, request);
  const client = authenticateClient(ctx, request, form);
  const text = requireParameter(form, "token");
  const refreshToken = parseRefreshToken(ctx.secrets, text);
  if (refreshToken !== null) {
    await endSession(ctx, refreshToken.session, "logout", { source: requestInfo.source });
  } else {
    // As late as any guard may still take it.
    const access = await ctx.accessTokens.check(text, MAX_CLOCK_TOLERANCE_MS);
    if (access.status === "valid") {
      const { client_id: owner, jti } = access.claims;
      if (owner !== FIRST_PARTY_CLIENT_ID && owner !== client?.id) {
        return oauthError(400, "unauthorized_client", "The token was issued to another client.");
      }
      await revoke(ctx, { kind: "token", id: jti as string });
    }
  }
  return new Response(null, { status: 200, headers: { "Cache-Control": "no-store" } });
}
