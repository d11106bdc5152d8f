import type { AuthoritySource } from "./authority.ts";
import { createAuthoritySource } from "./authority-source.ts";
import { acceptClaims, type AuthorityProtocol } from "./authority-request.ts";
import type { AuthorityOptions } from "./settings.ts";

const protocol: AuthorityProtocol = {
  kind: "validation",
  contentType: "application/json",
  body: JSON.stringify,
  read({ valid, claims = {} }) {
    if (valid === true) return acceptClaims(claims);
    return valid === false ? { status: "no" } : null;
  },
};

/** An endpoint like `POST /auth/validate`: takes `{token}`, answers 200 `{valid, claims?, reason?}`. Throws `invalid_option`. */
export function tokenValidation(options: AuthorityOptions): AuthoritySource {
  return createAuthoritySource("tokenValidation", protocol, options);
}
