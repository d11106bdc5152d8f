import type { AuthoritySource } from "./authority.ts";
import { AuthorityClient } from "./authority-client.ts";
import { good, type Dialect } from "./exchange.ts";
import { authoritySettings, type AuthorityOptions } from "./settings.ts";

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
  const settings = authoritySettings("introspection", options);
  const open: AuthoritySource["open"] = (context) => new AuthorityClient(dialect, settings, context);
  const { opaque, identity } = settings;
  return { kind: dialect.kind, opaque, identity, open };
}
