import { Discovery } from "./discovery.ts";
import { jwksSettings, type JwksOptions } from "./jwks.ts";
import { JwksKeyring } from "./jwks-keyring.ts";
import type { KeySource } from "./key-source.ts";

/** The same as for `jwks`; `timeoutMs` is for the metadata and the set together. */
export type DiscoveryOptions = JwksOptions;

/**
 * The key set that the issuer's own metadata names: OpenID Connect Discovery, else RFC 8414. The guard's `issuer` must
 * be an https URL then, or http on this machine. Throws `invalid_option`.
 */
export function discovered(options: DiscoveryOptions = {}): KeySource {
  const settings = jwksSettings("discovered", options);
  return {
    kind: "discovered",
    open: (context) => new JwksKeyring(new Discovery(settings, context), settings, context).keptFresh(),
  };
}
