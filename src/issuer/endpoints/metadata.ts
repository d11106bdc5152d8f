import { z } from "zod";
import type { IssuerContext } from "../context.ts";
import type { EndpointCall } from "./endpoint.ts";
import { requireClient } from "./client-auth.ts";
import { readBody, stringSchema } from "./body.ts";
import { jsonResponse } from "./respond.ts";

const tokenBody = z.object({ token: stringSchema() }, "must be an object");

/** For services that ask the issuer instead of proving tokens themselves. */
export async function validateEndpoint(ctx: IssuerContext, { request }: EndpointCall): Promise<Response> {
  requireClient(ctx, request);
  const { token } = await readBody(ctx, request, tokenBody);
  const access = await ctx.accessTokens.check(token);
  if (access.status === "valid") return jsonResponse(200, { valid: true, claims: access.claims });
  return jsonResponse(200, { valid: false, reason: access.reason });
}

export async function jwksEndpoint(ctx: IssuerContext): Promise<Response> {
  const { keys, ageMs } = await ctx.keys.jwks();
  const ageS = Math.floor(ageMs / 1000);
  // RFC 9111 §5.1, as a cache would: a key that is not in an old set may be in the store.
  const headers = { "Cache-Control": "public, max-age=300", ...(ageS > 0 && { Age: String(ageS) }) };
  return jsonResponse(200, { keys }, headers);
}

/** RFC 8414 §2, and only what exists. */
export function metadataEndpoint({ config }: IssuerContext): Response {
  const base = config.url.replace(/\/$/, "");
  const secret = ["client_secret_basic", "client_secret_post"];
  return jsonResponse(200, {
    issuer: config.url,
    jwks_uri: `${base}/.well-known/jwks.json`,
    token_endpoint: `${base}/oauth/token`,
    token_endpoint_auth_methods_supported: [...secret, "none"],
    introspection_endpoint: `${base}/oauth/introspect`,
    introspection_endpoint_auth_methods_supported: secret,
    revocation_endpoint: `${base}/oauth/revoke`,
    revocation_endpoint_auth_methods_supported: [...secret, "none"],
    response_types_supported: [],
    grant_types_supported: ["refresh_token", "client_credentials"],
  });
}
