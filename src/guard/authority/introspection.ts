import type { AuthoritySource } from "./authority.ts";
import { createAuthoritySource } from "./authority-source.ts";
import { acceptClaims, type AuthorityProtocol } from "./authority-request.ts";
import type { AuthorityOptions } from "./settings.ts";

const protocol: AuthorityProtocol = {
  kind: "introspection",
  contentType: "application/x-www-form-urlencoded",
  body: (parameters) => new URLSearchParams({ ...parameters, token_type_hint: "access_token" }).toString(),
  read({ active, ...claims }) {
    if (active === true) return acceptClaims(claims);
    return active === false ? { status: "no" } : null;
  },
};

/** Token introspection (RFC 7662). Throws `invalid_option`. */
export function introspection(options: AuthorityOptions): AuthoritySource {
  return createAuthoritySource("introspection", protocol, options);
}
