import type { AuthoritySource } from "./authority.ts";
import { AuthorityClient } from "./authority-client.ts";
import type { Dialect } from "./exchange.ts";
import { authoritySettings, type AuthorityOptions } from "./settings.ts";

/** An authority that is asked in `dialect`. `owner` names the options in errors; throws `invalid_option`. */
export function authoritySource(owner: string, dialect: Dialect, options: AuthorityOptions): AuthoritySource {
  const settings = authoritySettings(owner, options);
  const { opaque, identity } = settings;
  return {
    kind: dialect.kind,
    opaque,
    identity,
    open: (context) => new AuthorityClient(dialect, settings, context),
  };
}
