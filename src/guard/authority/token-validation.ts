import { createAuthoritySource } from "./authority-client.ts";
import { acceptClaims, type AuthorityProtocol } from "./authority-request.ts";
import type { AuthoritySource } from "./authority.ts";
import type { AuthorityOptions } from "./settings.ts";

const protocol: AuthorityProtocol = {
  kind: "validation",
  contentType: "application/json",
  encodeBody: JSON.stringify,
  readAnswer({ valid, claims }) {
    if (valid === true) return acceptClaims(claims ?? {});
    return valid === false ? { status: "no" } : null;
  },
};

/**
 * An endpoint like the service's `POST /auth/validate`. It takes the JSON body `{token}` and answers 200 with
 * `{valid, claims?, reason?}`. Throws `invalid_option`.
 *
 * @example
 * ```ts
 * import { createGuard, tokenValidation } from "holdfast";
 *
 * declare const getServiceToken: () => Promise<string>;
 *
 * export const guard = createGuard({
 *   issuer: "https://id.example.com",
 *   audience: "https://api.example.com",
 *   authority: tokenValidation({
 *     url: "https://id.example.com/auth/validate",
 *     bearerToken: getServiceToken,
 *   }),
 * });
 * ```
 */
export function tokenValidation(options: AuthorityOptions): AuthoritySource {
  return createAuthoritySource("tokenValidation", protocol, options);
}
