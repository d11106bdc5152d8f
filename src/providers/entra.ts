import { oneOf } from "../core/claim-rules.ts";
import { invalidValue } from "../core/option-values.ts";
import { option, readOptions, readString } from "../core/options.ts";
import { tenants } from "../guard/issuers/tenants.ts";
import { jwks } from "../guard/keys/jwks.ts";
import type { TrustedIssuer } from "../guard/types.ts";
import { optionalTexts, textOption } from "./read-values.ts";

export interface EntraOptions {
  /** The Directory (tenant) ID, several of them, or `"any"` for every organization and every personal account. */
  tenant: string | readonly string[];
  /** The Application (client) ID of your API. */
  clientId: string;
  /** The Application ID URI of your API. Default `api://` and the client ID. */
  applicationIdUri?: string;
  /** The client IDs (`azp`, `appid`) whose tokens are accepted. Default: every client that Entra lets call the API. */
  clients?: string | readonly string[];
}

const guid = /^[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}$/;

const table = {
  tenant: option((name, value): readonly string[] | "any" => {
    if (value === "any") return value;
    const ids: unknown[] = Array.isArray(value) ? value : [value];
    if (ids.length > 0 && ids.every((id) => typeof id === "string" && guid.test(id))) return ids as string[];
    throw invalidValue(name, 'a Directory (tenant) ID in lower case, a list of them, or "any"', value);
  }),
  clientId: textOption,
  applicationIdUri: option((name, value) => (value === undefined ? undefined : readString(name, value))),
  clients: optionalTexts,
};

const LOGIN = "https://login.microsoftonline.com";

/**
 * Tenants of Microsoft Entra ID. Access tokens of version 1 and 2 are accepted, because the manifest of the API decides
 * which of them a client gets. Application roles are scopes, beside `scp`. Throws `invalid_option`.
 *
 * @example
 * ```ts
 * import { createGuard } from "holdfast";
 * import { entra } from "holdfast/providers";
 *
 * export const guard = createGuard(
 *   entra({ tenant: "8d4c2fd9-0c7c-4a7b-8f0a-5b1c7f1f3f55", clientId: "6e74172b-be56-4843-9ff4-e66a39bb12e3" }),
 * );
 * ```
 */
export function entra(options: EntraOptions): { issuers: TrustedIssuer[] } {
  const settings = readOptions("entra", options, table);
  const { tenant, clientId, clients, applicationIdUri = `api://${clientId}` } = settings;
  const rules = (client: string) => ({
    audience: [clientId, applicationIdUri],
    // An ID token may have the same audience, when the client is the same application.
    requiredClaims: ["sub", [client, "scp", "roles"]],
    scopesFrom: ["scp", "roles"],
    ...(clients && { claims: { [client]: oneOf(...clients) } }),
  });
  const anyTenant = (pattern: string) => tenants(pattern, { tid: "any" });
  const [names, issuer] = tenant === "any" ? [["{tid}"], anyTenant] : [tenant, String];
  const issuers = names.flatMap((tid) => {
    const keys = `${LOGIN}/${tenant === "any" ? "common" : tid}/discovery`;
    return [
      { issuer: issuer(`${LOGIN}/${tid}/v2.0`), keys: jwks(`${keys}/v2.0/keys`), ...rules("azp") },
      { issuer: issuer(`https://sts.windows.net/${tid}/`), keys: jwks(`${keys}/keys`), ...rules("appid") },
    ];
  });
  return { issuers };
}
