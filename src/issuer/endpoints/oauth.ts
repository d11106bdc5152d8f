import type { PlainResponse } from "../../core/plain-http.ts";
import { isScopeToken } from "../../core/scopes.ts";
import { FIRST_PARTY_CLIENT_ID, type ClientConfig } from "../client-config.ts";
import type { IssuerContext } from "../context.ts";
import { MAX_CLOCK_TOLERANCE_MS } from "../acceptance.ts";
import { beginClientSession } from "../sessions/client-session.ts";
import { narrowGrant, type GrantRequest } from "../sessions/grant.ts";
import { parsePresented } from "../sessions/presented-token.ts";
import { refreshNarrowed } from "../sessions/refresh.ts";
import { revoke } from "../sessions/revoke.ts";
import { endPresentedSession } from "../sessions/sessions.ts";
import { createClientTokenResponse } from "../sessions/token-response.ts";
import type { RequestInfo } from "../types.ts";
import { badRequest, readForm, requireParameter } from "./body.ts";
import { authenticateClient, invalidClient } from "./client-auth.ts";
import type { EndpointCall } from "./endpoint.ts";
import { emptyResponse, invalidTarget, jsonResponse, oauthError } from "./respond.ts";
import { refreshResponse } from "./tokens.ts";

/**
 * The refresh (RFC 6749 §6) and client credentials (§4.4) grants. The public client and every service may refresh a
 * first-party session. Only the service itself may refresh its own session.
 */
export async function tokenEndpoint(
  ctx: IssuerContext,
  { request, requestInfo }: EndpointCall,
): Promise<PlainResponse> {
  const form = await readForm(ctx, request);
  const client = authenticateClient(ctx, { request, requestInfo }, form);
  const grant = requireParameter(form, "grant_type");
  const requestedScopes = form.get("scope")?.split(" ");
  if (requestedScopes?.every(isScopeToken) === false) return invalidScope();
  const wanted = { scopes: requestedScopes, resources: form.resources };
  if (grant === "client_credentials") return await clientCredentialsGrant(ctx, client, wanted, requestInfo);
  if (grant !== "refresh_token") {
    return oauthError(400, "unsupported_grant_type", "The grant is refresh_token or client_credentials.");
  }
  const refreshToken = requireParameter(form, "refresh_token");
  const asked = form.get("acknowledge");
  if (asked !== undefined && asked !== "true" && asked !== "false") {
    throw badRequest(400, "acknowledge: must be true or false");
  }
  const outcome = await refreshNarrowed(ctx, refreshToken, requestInfo, {
    // A service whose entry no longer has refresh tokens cannot use the old ones.
    client: client?.refreshTokens === undefined ? null : client.id,
    ...wanted,
  });
  return outcome.status === "invalid_scope"
    ? invalidScope()
    : refreshResponse(ctx, outcome, asked === "true");
}

async function clientCredentialsGrant(
  ctx: IssuerContext,
  client: ClientConfig | null,
  wanted: GrantRequest,
  requestInfo: RequestInfo,
): Promise<PlainResponse> {
  if (client === null) throw invalidClient();
  const narrowed = narrowGrant({ scopes: client.scopes, audience: ctx.config.audience }, wanted);
  if (narrowed.status === "invalid_scope") return invalidScope();
  if (narrowed.status === "invalid_target") return invalidTarget();
  const { grant } = narrowed;
  if (client.refreshTokens !== undefined) {
    const request = { ...requestInfo, resources: wanted.resources };
    return jsonResponse(200, await beginClientSession(ctx, client, grant, request));
  }
  // The mark of the store is never less than the number of a cut-off, also of one that has been pruned here.
  const cutoff = await ctx.store.sessions.mark();
  const signingKey = await ctx.keys.activeKey();
  return jsonResponse(200, createClientTokenResponse(ctx, signingKey, { id: client.id, ...grant, cutoff }));
}

function invalidScope(): PlainResponse {
  return oauthError(400, "invalid_scope", "The requested scope exceeds what may be granted.");
}

/** RFC 7009: 200 once the revocation is durable, and for a token that the issuer does not know (§2.2). */
export async function revokeEndpoint(
  ctx: IssuerContext,
  { request, requestInfo }: EndpointCall,
): Promise<PlainResponse> {
  const form = await readForm(ctx, request);
  const client = authenticateClient(ctx, { request, requestInfo }, form);
  const text = requireParameter(form, "token");
  const refreshToken = await parsePresented(ctx, text, { client: client?.id ?? null });
  if (refreshToken !== null) {
    await endPresentedSession(ctx, refreshToken.session, { source: requestInfo.source });
    return emptyResponse(200);
  }
  // A token that has expired here can still be accepted by a guard with a larger clock tolerance.
  const access = await ctx.accessTokens.check(text, MAX_CLOCK_TOLERANCE_MS);
  if (access.status === "invalid") return emptyResponse(200);
  const { client_id: owner, jti } = access.claims;
  if (owner !== FIRST_PARTY_CLIENT_ID && owner !== client?.id) {
    return oauthError(400, "unauthorized_client", "The token was issued to another client.");
  }
  const { claims } = access;
  const read = async () =>
    (await ctx.accessTokens.revocations.isRevoked(claims, undefined)) ? "written" : "unwritten";
  await ctx.presentedEnds.once(`token ${jti}`, read, async () => {
    await revoke(ctx, { kind: "token", id: jti as string });
  });
  return emptyResponse(200);
}
