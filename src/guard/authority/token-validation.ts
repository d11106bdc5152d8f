import type { AuthoritySource } from "./authority.ts";
import { AuthorityClient } from "./authority-client.ts";
import { good, type Dialect } from "./exchange.ts";
import { authoritySettings, type AuthorityOptions } from "./settings.ts";

const dialect: Dialect = {
  kind: "validation",
  contentType: "application/json",
  body: JSON.stringify,
  read({ valid, claims = {} }) {
    if (valid === true) return good(claims);
    return valid === false ? { status: "no" } : null;
  },
};

/** An endpoint like `POST /auth/validate`: takes `{token}`, answers 200 `{valid, claims?, reason?}`. Throws `invalid_option`. */
export function tokenValidation(options: AuthorityOptions): AuthoritySource {
  const settings = authoritySettings("tokenValidation", options);
  const open: AuthoritySource["open"] = (context) => new AuthorityClient(dialect, settings, context);
  const { opaque, identity } = settings;
  return { kind: dialect.kind, opaque, identity, open };
}
