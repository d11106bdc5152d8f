import type { AuthoritySource } from "./authority.ts";
import { AuthorityClient } from "./authority-client.ts";
import type { AuthorityProtocol } from "./authority-request.ts";
import { readAuthorityOptions, type AuthorityOptions } from "./settings.ts";

/** An authority that is asked in `dialect`. `owner` names the options in errors; throws `invalid_option`. */
export function createAuthoritySource(
  owner: string,
  protocol: AuthorityProtocol,
  options: AuthorityOptions,
): AuthoritySource {
  const settings = readAuthorityOptions(owner, options);
  const { opaque, identity } = settings;
  return {
    kind: protocol.kind,
    opaque,
    identity,
    open: (context) => new AuthorityClient(protocol, settings, context),
  };
}
