import type { AuthoritySource } from "./authority.ts";
import { authoritySource } from "./authority-source.ts";
import { good, type Dialect } from "./exchange.ts";
import type { AuthorityOptions } from "./settings.ts";

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
  return authoritySource("tokenValidation", dialect, options);
}
