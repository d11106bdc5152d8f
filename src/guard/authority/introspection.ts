import type { AuthoritySource } from "./authority.ts";
import { authoritySource } from "./authority-source.ts";
import { good, type Dialect } from "./exchange.ts";
import type { AuthorityOptions } from "./settings.ts";

const dialect: Dialect = {
  kind: "introspection",
  contentType: "application/x-www-form-urlencoded",
  body: (parameters) => new URLSearchParams({ ...parameters, token_type_hint: "access_token" }).toString(),
  read({ active, ...claims }) {
    if (active === true) return good(claims);
    return active === false ? { status: "no" } : null;
  },
};

/** Token introspection (RFC 7662). Throws `invalid_option`. */
export function introspection(options: AuthorityOptions): AuthoritySource {
  return authoritySource("introspection", dialect, options);
}
