import { oneOf } from "../core/claim-rules.ts";
import { option, readOptions, readString } from "../core/options.ts";
import { jwks } from "../guard/keys/jwks.ts";
import type { TrustedIssuer } from "../guard/types.ts";
import { domainOption, optionalTexts, textOption } from "./read-values.ts";

export interface OktaOptions {
  /** The domain of the organization: `example.okta.com`. */
  domain: string;
  /** The audience of the custom authorization server, such as `api://default`. */
  audience: string;
  /** The id of the custom authorization server. Default `"default"`. */
  server?: string;
  /** The client IDs (`cid`) whose tokens are accepted. Default: every client of the authorization server. */
  clients?: string | readonly string[];
}

const table = {
  domain: domainOption,
  audience: textOption,
  server: option(readString, "default"),
  clients: optionalTexts,
};

/**
 * A custom authorization server of Okta. Tokens of the organization's own server are for Okta and not for an API. Throws
 * `invalid_option`.
 *
 * @example
 * ```ts
 * import { createGuard } from "holdfast";
 * import { okta } from "holdfast/providers";
 *
 * export const guard = createGuard(okta({ domain: "example.okta.com", audience: "api://default" }));
 * ```
 */
export function okta(options: OktaOptions): TrustedIssuer {
  const { domain, audience, server, clients } = readOptions("okta", options, table);
  const issuer = `https://${domain}/oauth2/${server}`;
  return {
    issuer,
    audience,
    keys: jwks(`${issuer}/v1/keys`),
    // Only access tokens have `cid`.
    requiredClaims: ["sub", "cid"],
    scopesFrom: "scp",
    ...(clients && { claims: { cid: oneOf(...clients) } }),
  };
}
