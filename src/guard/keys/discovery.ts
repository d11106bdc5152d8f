import { elapsedMs, readClock, type Instant } from "../../core/clock.ts";
import { isHoldfastError } from "../../core/errors.ts";
import { invalidOption } from "../../core/options.ts";
import { withDeadline } from "../../resilience/deadline.ts";
import {
  fetchJson,
  isTrustworthy,
  trustworthyUrl,
  unusableResponse,
  type JsonResponse,
} from "../fetch-json.ts";
import { describeError, emit } from "../emit.ts";
import type { KeyLocation } from "./fetch-key-set.ts";
import { JwksKeyring } from "./jwks-keyring.ts";
import { readJwksOptions, type JwksOptions, type JwksSettings } from "./jwks-options.ts";
import type { KeyContext, KeySource } from "./key-source.ts";

/** The same as for `jwks`; `timeoutMs` is for the metadata and the set together. */
export type DiscoveryOptions = JwksOptions;

/**
 * The key set that the issuer's own metadata names: OpenID Connect Discovery, else RFC 8414. The guard's `issuer` must
 * be an https URL then, or http on this machine. Throws `invalid_option`.
 */
export function discovered(options: DiscoveryOptions = {}): KeySource {
  const settings = readJwksOptions("discovered", options);
  return {
    kind: "discovered",
    open: (context) =>
      new JwksKeyring(new DiscoveredLocation(settings, context), settings, context).startRefreshing(),
  };
}

/** The metadata is read again when it is so old. */
const FRESH_MS = 86_400_000;

/** The address that an issuer's own metadata gives (OpenID Connect Discovery §4, RFC 8414 §3). */
class DiscoveredLocation implements KeyLocation {
  readonly kind = "discovered";
  readonly #settings: JwksSettings;
  readonly #context: KeyContext;
  readonly #documents: readonly { readonly what: string; readonly url: string }[];
  /** `readAt` is `null` where the address is doubtful: the metadata is asked first, and used if it does not answer. */
  #known: { readonly url: string; readonly readAt: Instant | null } | null = null;

  constructor(settings: JwksSettings, context: KeyContext) {
    this.#settings = settings;
    this.#context = context;
    this.#documents = metadataDocuments(context.issuer);
  }

  async resolveUrl(signal: AbortSignal): Promise<string> {
    const { clock } = this.#context;
    const known = this.#known;
    if (known !== null && known.readAt !== null && elapsedMs(clock, known.readAt) < FRESH_MS)
      return known.url;
    // Where an address is known, time is left to use it.
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
      emit(this.#context, "keys_failed", `${describeError(error)}; the address it gave last is used`);
      return known.url;
    }
  }

  requireRevalidation(): void {
    if (this.#known !== null) this.#known = { ...this.#known, readAt: null };
  }

  restore(url: string): boolean {
    const parsed = URL.parse(url);
    if (parsed === null || !isTrustworthy(parsed)) return false;
    this.#known ??= { url, readAt: null };
    return true;
  }

  forget(): void {
    this.#known = null;
  }

  async #fetchMetadata(signal: AbortSignal): Promise<string> {
    const reasons: string[] = [];
    for (const { what, url } of this.#documents) {
      try {
        return this.#jwksUri(what, await fetchJson(url, { ...this.#settings, what, signal }));
      } catch (error) {
        // Where nobody answers, nobody will at another path.
        if (!isHoldfastError(error, "upstream_failed")) throw error;
        reasons.push(error.message);
      }
    }
    throw unusableResponse("the issuer's metadata", `cannot be used: ${reasons.join("; ")}`);
  }

  /** Another issuer's metadata must not be believed (RFC 8414 §3.3). */
  #jwksUri(what: string, { status, json }: JsonResponse): string {
    if (status !== 200) throw unusableResponse(what, `answered ${status}`);
    const { issuer, jwks_uri: uri } = Object(json) as { issuer?: unknown; jwks_uri?: unknown };
    if (issuer !== this.#context.issuer) throw unusableResponse(what, "names another issuer");
    const url = typeof uri === "string" ? URL.parse(uri) : null;
    if (url === null || !isTrustworthy(url)) throw unusableResponse(what, "has no jwks_uri with https");
    return url.href;
  }
}

/** Before the issuer's path or behind it; without its last slash. Throws `invalid_option`. */
function metadataDocuments(issuer: string): { what: string; url: string }[] {
  const { origin, pathname, search, hash } = new URL(trustworthyUrl("issuer", issuer));
  if (search !== "" || hash !== "") throw invalidOption("issuer", "a URL without query or fragment", issuer);
  const path = pathname.replace(/\/$/, "");
  const [openid, oauth] = ["openid-configuration", "oauth-authorization-server"];
  return [
    { what: openid, url: `${origin}${path}/.well-known/${openid}` },
    { what: oauth, url: `${origin}/.well-known/${oauth}${path}` },
  ];
}
