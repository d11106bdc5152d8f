import { FIRST_PARTY } from "../config.ts";
import type { Context } from "../context.ts";
import { MAX_TOLERANCE_MS } from "../foundation.ts";
import { readRefreshToken, refreshTokenDigest } from "../refresh-token.ts";
import { refreshNarrowed } from "../refresh.ts";
import { revoke } from "../revoke.ts";
import { isScope, narrowed } from "../scopes.ts";
import { endOf, findSession, isLive, type ProvenSession } from "../session-record.ts";
import { endSession } from "../sessions.ts";
import { clientTokenResponse } from "../tokens.ts";
import type { Client } from "../types.ts";
import type { Call } from "./call.ts";
import { identifyClient, unknownClient } from "./authorization.ts";
import { parameter, readForm } from "./body.ts";
import { json, problem } from "./respond.ts";
import { refreshResponse } from "./tokens.ts";

/** RFC 6749 §6 and §4.4. A public client refreshes first-party sessions as `/auth/refresh` does; so may a service. */
export async function tokenEndpoint(ctx: Context, { request, origin }: Call): Promise<Response> {
  const form = await readForm(ctx, request);
  const client = identifyClient(ctx, request, form);
  const grant = parameter(form, "grant_type");
  const asked = form.get("scope")?.split(" ");
  if (asked?.every(isScope) === false) return invalidScope();
  if (grant === "client_credentials") return await clientGrant(ctx, client, asked);
  if (grant !== "refresh_token") {
    return problem(400, "unsupported_grant_type", "The grant is refresh_token or client_credentials.");
  }
  const outcome = await refreshNarrowed(ctx, parameter(form, "refresh_token"), origin, asked);
  return outcome.status === "invalid_scope" ? invalidScope() : refreshResponse(outcome);
}

async function clientGrant(
  ctx: Context,
  client: Required<Client> | null,
  asked: readonly string[] | undefined,
): Promise<Response> {
  if (client === null) throw unknownClient();
  const scopes = narrowed(client.scopes, asked);
  if (scopes === null) return invalidScope();
  const signer = await ctx.keys.signer();
  const after = await ctx.access.revoked.cutOff(client.id);
  return json(200, clientTokenResponse(ctx, signer, { id: client.id, scopes, after }));
}

function invalidScope(): Response {
  return problem(400, "invalid_scope", "This is more than may be granted here.");
}

/** RFC 7662, for services only. Whatever is not, or no longer, good is inactive, and nothing is said about it. */
export async function introspectEndpoint(ctx: Context, { request }: Call): Promise<Response> {
  const form = await readForm(ctx, request);
  if (identifyClient(ctx, request, form) === null) throw unknownClient();
  const token = parameter(form, "token");
  const facts = (await refreshTokenFacts(ctx, token)) ?? (await accessTokenFacts(ctx, token));
  return json(200, facts === null ? { active: false } : { ...facts, active: true });
}

async function accessTokenFacts(ctx: Context, token: string): Promise<object | null> {
  const access = await ctx.access.check(token);
  return access.status === "valid" ? { ...access.claims, token_type: "Bearer" } : null;
}

/** Without audience and scope, and of another type (RFC 8693 §2.2.1): nobody takes it for an access token. */
async function refreshTokenFacts(ctx: Context, text: string): Promise<object | null> {
  const token = readRefreshToken(ctx.secrets, text);
  const session = token && (await findSession(ctx, token.session));
  if (token === null || session === null) return null;
  if (!isUsable(session, refreshTokenDigest(token), ctx.clock.now())) return null;
  const { id: sid, subject: sub, content } = session;
  const exp = Math.floor(endOf(session) / 1000);
  return { iss: ctx.config.url, sub, sid, exp, client_id: content.client, token_type: "N_A" };
}

/** Whether a refresh with it would bring tokens: it is current, or within grace the one before. */
function isUsable(session: ProvenSession, digest: string, nowMs: number): boolean {
  if (!isLive(session, nowMs)) return false;
  const { currentDigest, previousDigest, graceEndsAt } = session;
  return digest === currentDigest || (digest === previousDigest && nowMs < (graceEndsAt ?? 0));
}

/** RFC 7009: 200 when nothing is left of the token, durably; for one that is not ours there never was. */
export async function revokeEndpoint(ctx: Context, { request, origin }: Call): Promise<Response> {
  const form = await readForm(ctx, request);
  const client = identifyClient(ctx, request, form);
  const text = parameter(form, "token");
  const refreshToken = readRefreshToken(ctx.secrets, text);
  if (refreshToken !== null) {
    await endSession(ctx, refreshToken.session, "logout", { source: origin.source });
  } else {
    // As late as any guard may still take it.
    const access = await ctx.access.check(text, MAX_TOLERANCE_MS);
    if (access.status === "valid") {
      const { client_id: owner, jti } = access.claims;
      if (owner !== FIRST_PARTY && owner !== client?.id) {
        return problem(400, "unauthorized_client", "The token was issued to another client.");
      }
      await revoke(ctx, { kind: "token", id: jti as string });
    }
  }
  return new Response(null, { status: 200, headers: { "Cache-Control": "no-store" } });
}
