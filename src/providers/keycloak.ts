import { invalidValue } from "../core/option-values.ts";
import { option, readOptions } from "../core/options.ts";
import { readAllowHttp } from "../guard/allow-http.ts";
import { trustworthyUrl } from "../guard/fetch-json.ts";
import { jwks } from "../guard/keys/jwks.ts";
import type { TrustedIssuer } from "../guard/types.ts";
import { optionalUrl, textOption, urlOption } from "./read-values.ts";

export interface KeycloakOptions {
  /** The public address of Keycloak, with its path if it has one: `https://id.example.com`. */
  url: string;
  realm: string;
  /** The client ID of your API. An audience mapper puts it into `aud`. */
  audience: string;
  /** The address at which this process reaches Keycloak, if it is another one: `http://keycloak:8080`. */
  internalUrl?: string;
  /** See `allowHttp` of `jwks`: the hosts to which plain HTTP is allowed, such as `["keycloak"]`. */
  allowHttp?: readonly string[];
}

/** An issuer that was pasted here would get the path of the realm twice, and its keys would not be found. */
function rejectRealmPath(name: string, url: string): void {
  if (url.includes("/realms/")) {
    throw invalidValue(`keycloak: ${name}`, "the address of the server, without /realms/", url);
  }
}

const table = {
  url: urlOption,
  realm: textOption,
  audience: textOption,
  internalUrl: optionalUrl,
  allowHttp: option((_, value) => value as readonly string[] | undefined),
};

/**
 * The issuer of a Keycloak realm. Realm roles and the roles of the client `audience` are scopes, beside `scope`. Throws
 * `invalid_option`.
 *
 * @example
 * ```ts
 * import { createGuard } from "holdfast";
 * import { keycloak } from "holdfast/providers";
 *
 * export const guard = createGuard(
 *   keycloak({ url: "https://id.example.com", realm: "shop", audience: "orders-api" }),
 * );
 * ```
 */
export function keycloak(options: KeycloakOptions): TrustedIssuer {
  const { url, realm, audience, internalUrl = url, allowHttp } = readOptions("keycloak", options, table);
  rejectRealmPath("url", url);
  rejectRealmPath("internalUrl", internalUrl);
  const path = `/realms/${encodeURIComponent(realm)}`;
  // The error of `jwks` would name an address that the caller never wrote.
  const name = options.internalUrl === undefined ? "url" : "internalUrl";
  trustworthyUrl(`keycloak: ${name}`, internalUrl, readAllowHttp("keycloak: allowHttp", allowHttp));
  return {
    issuer: `${url}${path}`,
    audience,
    keys: jwks(`${internalUrl}${path}/protocol/openid-connect/certs`, { ...(allowHttp && { allowHttp }) }),
    scopesFrom: ["scope", "realm_access.roles", `resource_access.${audience}.roles`],
  };
}
