import { oneOf } from "../core/claim-rules.ts";
import { invalidOption } from "../core/option-checks.ts";
import { readOptions } from "../core/options.ts";
import { jwks } from "../guard/keys/jwks.ts";
import type { TrustedIssuer } from "../guard/types.ts";
import { optionalTexts, textsOption } from "./read-values.ts";

export interface GoogleOptions {
  /**
   * The client IDs of your applications, also of those that ask for a token for another one, such as an Android application
   * for its server. For tokens of service accounts: the address that they are made for.
   */
  clientId: string | readonly string[];
  /**
   * The e-mail addresses of the service accounts whose tokens are accepted, in place of those of users. Every Google Cloud
   * project can make tokens of its service accounts for any audience. Default: none.
   */
  serviceAccounts?: string | readonly string[];
  /** The Google Workspace domains (`hd`) whose users are accepted. Default: every Google account. */
  hostedDomain?: string | readonly string[];
}

const table = { clientId: textsOption, serviceAccounts: optionalTexts, hostedDomain: optionalTexts };

/**
 * The ID tokens of Google, as "Sign in with Google" and service accounts get them. Google writes `iss` with and without
 * `https://`, so there are two issuers. The client that asked for a token (`azp`) must be one of yours. Throws `invalid_option`.
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
  const { clientId, serviceAccounts, hostedDomain } = readOptions("google", options, table);
  if (serviceAccounts && hostedDomain) {
    throw invalidOption(
      "google: hostedDomain",
      "left out with serviceAccounts, which have none",
      hostedDomain,
    );
  }
  // Google leaves `azp` out where the audience itself has asked. The `azp` of a service account is its own number.
  const claims = serviceAccounts
    ? { email: oneOf(...serviceAccounts), email_verified: true }
    : { azp: oneOf(...clientId, null), ...(hostedDomain && { hd: oneOf(...hostedDomain) }) };
  const issuers = ["https://accounts.google.com", "accounts.google.com"].map((issuer) => ({
    issuer,
    audience: clientId,
    keys: jwks("https://www.googleapis.com/oauth2/v3/certs"),
    types: ["id"],
    claims,
  }));
  return { issuers };
}
