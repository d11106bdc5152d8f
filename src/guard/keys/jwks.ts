import { trustworthyUrl } from "../fetch-json.ts";
import type { KeyLocation } from "./fetch-key-set.ts";
import { JwksKeyring } from "./jwks-keyring.ts";
import { identifyOptions, readJwksOptions, type JwksOptions } from "./jwks-options.ts";
import type { KeyContext, KeySource } from "./key-source.ts";

/**
 * A provider's JWK Set (RFC 7517 §5) at an https URL, or at an http URL of this machine or of
 * a host of `allowHttp`. The guard fetches the set,
 * keeps it fresh in the background, and keeps the last good set through an outage. Throws `invalid_option`.
 *
 * @example
 * ```ts
 * import { createGuard, jwks } from "holdfast";
 *
 * export const guard = createGuard({
 *   issuer: "https://id.example.com",
 *   audience: "https://api.example.com",
 *   keys: jwks("https://id.example.com/.well-known/jwks.json"),
 * });
 * ```
 */
export function jwks(url: string, options: JwksOptions = {}): KeySource {
  const open = prepareJwksKeyring(url, options);
  const identity = ["jwks", url, ...identifyOptions(options)];
  return { kind: "jwks", identity, open: (context) => open(context).startRefreshing() };
}

/** Checks the arguments, and returns the function that opens the keyring. Throws `invalid_option`. */
export function prepareJwksKeyring(url: string, options: JwksOptions): (context: KeyContext) => JwksKeyring {
  const settings = readJwksOptions("jwks", options);
  const location = fixedLocation(trustworthyUrl("jwks: url", url, settings.allowHttp));
  return (context) => new JwksKeyring(location, settings, context);
}

/** A configured URL never needs to be resolved or revalidated. */
function fixedLocation(url: string): KeyLocation {
  return {
    kind: "jwks",
    firstUrl: () => url,
    resolveUrl: async () => await Promise.resolve(url),
    requireRevalidation: () => {},
    restore: (savedUrl) => savedUrl === url,
    forget: () => {},
  };
}
