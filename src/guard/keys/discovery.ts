import { elapsedMs, readClock, type Instant } from "../../core/clock.ts";
import { HoldfastError, isHoldfastError } from "../../core/errors.ts";
import { copyOptions } from "../../core/option-checks.ts";
import { invalidOption } from "../../core/options.ts";
import { withDeadline } from "../../resilience/deadline.ts";
import type { AllowedHttp } from "../allow-http.ts";
import { describeError, emit } from "../emit.ts";
import {
  fetchJson,
  isTrustworthy,
  trustworthyUrl,
  unusableResponse,
  type JsonResponse,
} from "../fetch-json.ts";
import { badStatus, type KeyLocation } from "./fetch-key-set.ts";
import { JwksKeyring } from "./jwks-keyring.ts";
import { identifyOptions, readJwksOptions, type JwksOptions, type JwksSettings } from "./jwks-options.ts";
import type { KeyContext, KeySource } from "./key-source.ts";

/**
 * The options of `jwks()`, and `url`. `timeoutMs` and `coolDownMs` cover the metadata and the key set together; `maxBytes` covers
 * each of the two.
 *
 * @example
 * ```ts
 * import { discovered, type DiscoveryOptions } from "holdfast";
 *
 * const options: DiscoveryOptions = { timeoutMs: 3_000 };
 * export const keys = discovered(options);
 * ```
 */
export interface DiscoveryOptions extends JwksOptions {
  /**
   * The address of the metadata, where it is not below the issuer: an https URL, or http as for `allowHttp`. The metadata
   * must still name the guard's issuer. Default: the two well-known addresses of the issuer.
   */
  url?: string;
}

/**
 * The key set that the issuer's metadata names: OpenID Connect Discovery, otherwise RFC 8414. A guard without `keys`
 * uses this source. The guard's `issuer` must be an https URL, or an http URL of this machine
 * or of a host of `allowHttp`.
 *
 * Throws `invalid_option`. `createGuard` throws `invalid_option` for another kind of issuer.
 *
 * @example
 * ```ts
 * import { createGuard, discovered } from "holdfast";
 *
 * export const guard = createGuard({
 *   issuer: "https://id.example.com",
 *   audience: "https://api.example.com",
 *   keys: discovered({ maxStaleMs: 12 * 3_600_000 }),
 * });
 * ```
 */
export function discovered(options: DiscoveryOptions = {}): KeySource {
  const { url, ...jwksOptions } = copyOptions("discovered", options);
  const settings = readJwksOptions("discovered", jwksOptions);
  const metadataUrl =
    url === undefined ? undefined : trustworthyUrl("discovered: url", url, settings.allowHttp);
  return {
    kind: "discovered",
    identity: ["discovered", url, ...identifyOptions(jwksOptions)],
    open: (context) =>
      new JwksKeyring(
        new DiscoveredLocation(settings, context, metadataUrl),
        settings,
        context,
      ).startRefreshing(),
  };
}

/** The age at which the metadata is fetched again. */
const METADATA_FRESH_MS = 86_400_000;

/** The most characters of a foreign issuer that an error shows. */
const MAX_SHOWN_ISSUER = 200;

export interface MetadataDocument {
  /** The name of the document in errors. */
  readonly what: string;
  readonly url: string;
}

/** The `jwks_uri` of the issuer's metadata (OpenID Connect Discovery §4, RFC 8414 §3). */
class DiscoveredLocation implements KeyLocation {
  readonly kind = "discovered";
  readonly #settings: JwksSettings;
  readonly #context: KeyContext;
  readonly #documents: readonly MetadataDocument[];
  /** The issuer may be any text when the metadata has another address. This is empty for a text without a host. */
  readonly #host: string;
  #otherIssuer: string | undefined;
  /** `readAt` is `null` when the URL may be out of date: it is used only if the metadata cannot be fetched. */
  #known: { readonly url: string; readonly readAt: Instant | null } | null = null;

  constructor(settings: JwksSettings, context: KeyContext, url: string | undefined) {
    this.#settings = settings;
    this.#context = context;
    this.#host = URL.parse(context.issuer)?.hostname ?? "";
    this.#documents =
      url === undefined
        ? metadataDocuments(context.issuer, settings.allowHttp)
        : [{ what: "the metadata at discovered: url", url }];
  }

  mayBeNamed(iss: string, host: string): boolean {
    if (this.#otherIssuer !== undefined) return iss === this.#otherIssuer;
    // Before the first metadata, a slash, a port or a path may be the mistake. Another host is that of a stranger.
    return this.#known === null && host !== "" && host === this.#host;
  }

  firstUrl(): string {
    return this.#known?.url ?? this.#documents[0]?.url ?? this.#context.issuer;
  }

  async resolveUrl(signal: AbortSignal): Promise<string> {
    const { clock } = this.#context;
    const known = this.#known;
    if (known !== null && known.readAt !== null && elapsedMs(clock, known.readAt) < METADATA_FRESH_MS)
      return known.url;
    // A known URL keeps half of the time for the key set, in case the metadata does not arrive.
    const timeoutMs = this.#settings.timeoutMs / (known === null ? 1 : 2);
    const read = async (until: AbortSignal) => await this.#fetchMetadata(until);
    try {
      const url = await withDeadline(clock, "the issuer's metadata", timeoutMs, read, signal);
      signal.throwIfAborted();
      this.#known = { url, readAt: readClock(clock) };
      return url;
    } catch (error) {
      signal.throwIfAborted();
      if (known === null) throw error;
      emit(this.#context, "keys_failed", `${describeError(error)}; the last known jwks_uri is used`);
      return known.url;
    }
  }

  requireRevalidation(): void {
    if (this.#known !== null) this.#known = { ...this.#known, readAt: null };
  }

  restore(savedUrl: string): boolean {
    const parsed = URL.parse(savedUrl);
    if (parsed === null || !isTrustworthy(parsed, this.#settings.allowHttp)) return false;
    this.#known ??= { url: savedUrl, readAt: null };
    return true;
  }

  forget(): void {
    this.#known = null;
  }

  async #fetchMetadata(signal: AbortSignal): Promise<string> {
    const reasons: string[] = [];
    let retryAfterMs = 0;
    for (const { what, url } of this.#documents) {
      try {
        this.#context.hosts?.throwIfPaused(url);
        return this.#readJwksUri(what, url, await fetchJson(url, { ...this.#settings, what, signal }));
      } catch (error) {
        // Without a connection to the server, the second path would fail in the same way.
        if (!isHoldfastError(error, "upstream_failed")) throw error;
        reasons.push(error.message);
        retryAfterMs = Math.max(retryAfterMs, error.retryAfterMs);
      }
    }
    const message = `the issuer's metadata cannot be used: ${reasons.join("; ")}`;
    throw new HoldfastError("upstream_failed", message, { retryAfterMs });
  }

  /** RFC 8414 §3.3 forbids the use of metadata that names another issuer. */
  #readJwksUri(what: string, url: string, response: JsonResponse): string {
    if (response.status !== 200) throw badStatus(what, url, response, this.#context);
    const { json } = response;
    const { issuer, jwks_uri: uri } = Object(json) as { issuer?: unknown; jwks_uri?: unknown };
    this.#otherIssuer = undefined;
    if (issuer !== this.#context.issuer) {
      if (typeof issuer === "string") this.#otherIssuer = issuer;
      const named = typeof issuer === "string" ? JSON.stringify(issuer.slice(0, MAX_SHOWN_ISSUER)) : "none";
      throw unusableResponse(
        what,
        `names another issuer: ${named}, not ${JSON.stringify(this.#context.issuer)}`,
      );
    }
    const found = typeof uri === "string" ? URL.parse(uri) : null;
    if (found === null || !isTrustworthy(found, this.#settings.allowHttp))
      throw unusableResponse(what, "has no jwks_uri with https");
    return found.href;
  }
}

/**
 * OpenID Connect appends the well-known path to the issuer's path; RFC 8414 inserts it before that path. Throws
 * `invalid_option`.
 */
export function metadataDocuments(issuer: string, allowHttp: AllowedHttp): MetadataDocument[] {
  const { origin, pathname, search, hash } = new URL(trustworthyUrl("issuer", issuer, allowHttp));
  if (search !== "" || hash !== "") throw invalidOption("issuer", "a URL without query or fragment", issuer);
  const path = pathname.replace(/\/$/, "");
  const [openid, oauth] = ["openid-configuration", "oauth-authorization-server"];
  return [
    { what: openid, url: `${origin}${path}/.well-known/${openid}` },
    { what: oauth, url: `${origin}/.well-known/${oauth}${path}` },
  ];
}
