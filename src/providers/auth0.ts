import { oneOf } from "../core/claim-rules.ts";
import { readOptions } from "../core/options.ts";
import { jwks } from "../guard/keys/jwks.ts";
import type { TrustedIssuer } from "../guard/types.ts";
import { domainOption, optionalTexts, textOption } from "./read-values.ts";

export interface Auth0Options {
  /** The domain of the tenant, or the custom domain that clients log in at: `example.eu.auth0.com`. */
  domain: string;
  /** The identifier of your API. */
  audience: string;
  /** The organizations (`org_id`) whose tokens are accepted. Default: any, and tokens without one. */
  organization?: string | readonly string[];
}

const table = { domain: domainOption, audience: textOption, organization: optionalTexts };

/**
 * The issuer of an Auth0 tenant. Permissions (RBAC) are scopes, beside `scope`. Throws `invalid_option`.
 *
 * @example
 * ```ts
 * import { createGuard } from "holdfast";
 * import { auth0 } from "holdfast/providers";
 *
 * export const guard = createGuard(
 *   auth0({ domain: "example.eu.auth0.com", audience: "https://api.example.com" }),
 * );
 * ```
 */
export function auth0(options: Auth0Options): TrustedIssuer {
  const { domain, audience, organization } = readOptions("auth0", options, table);
  return {
    // Auth0 writes `iss` with a slash at its end.
    issuer: `https://${domain}/`,
    audience,
    keys: jwks(`https://${domain}/.well-known/jwks.json`),
    scopesFrom: ["scope", "permissions"],
    ...(organization && { claims: { org_id: oneOf(...organization) } }),
  };
}
