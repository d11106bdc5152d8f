import type { PlainResponse } from "../../core/plain-http.ts";
import type { IssuerContext } from "../context.ts";
import { jsonResponse } from "./respond.ts";

/** The published keys (RFC 7517 §5). */
export async function jwksEndpoint(ctx: IssuerContext): Promise<PlainResponse> {
  const { keys, ageMs } = await ctx.keys.jwks();
  const ageS = Math.ceil(ageMs / 1000);
  // The key set was read from the store before, so it counts as a cached response of that age (RFC 9111 §5.1). An age that
  // was rounded down would prove to a guard that a key does not exist which another process has just published.
  const headers = { "Cache-Control": "public, max-age=300", ...(ageS > 0 && { Age: String(ageS) }) };
  return jsonResponse(200, { keys }, headers);
}

/** Authorization server metadata (RFC 8414 §2) of the endpoints that exist. */
export function metadataEndpoint({ config }: IssuerContext): PlainResponse {
  const base = config.url.replace(/\/$/, "");
  const withSecret = ["client_secret_basic", "client_secret_post"];
  return jsonResponse(200, {
    issuer: config.url,
    jwks_uri: `${base}/.well-known/jwks.json`,
    token_endpoint: `${base}/oauth/token`,
    token_endpoint_auth_methods_supported: [...withSecret, "none"],
    introspection_endpoint: `${base}/oauth/introspect`,
    introspection_endpoint_auth_methods_supported: withSecret,
    revocation_endpoint: `${base}/oauth/revoke`,
    revocation_endpoint_auth_methods_supported: [...withSecret, "none"],
    response_types_supported: [],
    grant_types_supported: ["refresh_token", "client_credentials"],
    // RFC 9728 §4: the resources whose tokens this server issues. Only an https URL identifies a resource there (§1.2).
    protected_resources: config.audience.filter((one) => URL.parse(one)?.protocol === "https:"),
  });
}
