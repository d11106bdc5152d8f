import { oneOf } from "../core/claim-rules.ts";
import { readOptions } from "../core/options.ts";
import { jwks } from "../guard/keys/jwks.ts";
import type { TrustedIssuer } from "../guard/types.ts";
import { optionalTexts, textsOption } from "./read-values.ts";

export interface GoogleOptions {
  /** The client IDs of your applications. For tokens of service accounts: the address that they are made for. */
  clientId: string | readonly string[];
  /** The Google Workspace domains (`hd`) whose users are accepted. Default: every Google account. */
  hostedDomain?: string | readonly string[];
}

const table = { clientId: textsOption, hostedDomain: optionalTexts };

/**
 * The ID tokens of Google, as "Sign in with Google" and service accounts get them. Google writes `iss` with and without
 * `https://`, so there are two issuers. Throws `invalid_option`.
 *
 * @example
 * ```ts
 * import { createGuard } from "holdfast";
 * import { google } from "holdfast/providers";
 *
 * export const guard = createGuard(
 *   google({ clientId: "1234567890-example.apps.googleusercontent.com", hostedDomain: "example.com" }),
 * );
 * ```
 */
export function google(options: GoogleOptions): { issuers: TrustedIssuer[] } {
  const { clientId, hostedDomain } = readOptions("google", options, table);
  const issuers = ["https://accounts.google.com", "accounts.google.com"].map((issuer) => ({
    issuer,
    audience: clientId,
    keys: jwks("https://www.googleapis.com/oauth2/v3/certs"),
    types: ["id"],
    ...(hostedDomain && { claims: { hd: oneOf(...hostedDomain) } }),
  }));
  return { issuers };
}
