import { createAuthoritySource } from "./authority-client.ts";
import { acceptClaims, type AuthorityProtocol } from "./authority-request.ts";
import type { AuthoritySource } from "./authority.ts";
import type { AuthorityOptions } from "./settings.ts";

const protocol: AuthorityProtocol = {
  kind: "introspection",
  contentType: "application/x-www-form-urlencoded",
  encodeBody: (parameters) =>
    new URLSearchParams({ ...parameters, token_type_hint: "access_token" }).toString(),
  readAnswer({ active, ...claims }) {
    if (active === true) return acceptClaims(claims);
    return active === false ? { status: "no" } : null;
  },
};

/**
 * Token introspection (RFC 7662). The guard asks the authority once about each verified token in `memory.ttlMs`, and
 * about opaque tokens if `opaque` allows them. Throws `invalid_option`.
 *
 * @example
 * ```ts
 * import { createGuard, introspection } from "holdfast";
 *
 * declare const clientSecret: string;
 *
 * export const guard = createGuard({
 *   issuer: "https://id.example.com",
 *   audience: "https://api.example.com",
 *   authority: introspection({
 *     url: "https://id.example.com/oauth/introspect",
 *     clientId: "orders-api",
 *     clientSecret,
 *     opaque: true,
 *   }),
 *   degraded: "local",
 * });
 * ```
 */
export function introspection(options: AuthorityOptions): AuthoritySource {
  return createAuthoritySource("introspection", protocol, options);
}
