import { elapsedMs, instant, type Instant } from "../../core/clock.ts";
import { isHoldfastError } from "../../core/errors.ts";
import { invalidOption } from "../../core/options.ts";
import { withDeadline } from "../../resilience/deadline.ts";
import { fetchJson, isTrustworthy, trustworthyUrl, unusable, type JsonAnswer } from "../fetch-json.ts";
import { describe, report } from "../report.ts";
import type { KeyLocation } from "./key-location.ts";
import type { KeyContext } from "./key-source.ts";
import type { JwksSettings } from "./fetch-key-set.ts";

/** The metadata is read again when it is so old. */
const FRESH_MS = 86_400_000;

/** The address that an issuer's own metadata gives (OpenID Connect Discovery §4, RFC 8414 §3). */
export class Discovery implements KeyLocation {
  readonly kind = "discovered";
  readonly #settings: JwksSettings;
  readonly #context: KeyContext;
  readonly #documents: readonly { readonly what: string; readonly url: string }[];
  /** `readAt` is `null` where the address is doubtful: the metadata is asked first, and used if it does not answer. */
  #found: { readonly url: string; readonly readAt: Instant | null } | null = null;

  constructor(settings: JwksSettings, context: KeyContext) {
    this.#settings = settings;
    this.#context = context;
    this.#documents = documentsOf(context.issuer);
  }

  async find(signal: AbortSignal): Promise<string> {
    const { clock } = this.#context;
    const found = this.#found;
    if (found !== null && found.readAt !== null && elapsedMs(clock, found.readAt) < FRESH_MS)
      return found.url;
    // Where an address is known, time is left to use it.
    const timeoutMs = this.#settings.timeoutMs / (found === null ? 1 : 2);
    const read = async (until: AbortSignal) => await this.#read(until);
    try {
      const url = await withDeadline(clock, "the issuer's metadata", timeoutMs, read, signal);
      signal.throwIfAborted();
      this.#found = { url, readAt: instant(clock) };
      return url;
    } catch (error) {
      signal.throwIfAborted();
      if (found === null) throw error;
      report(this.#context, "keys_failed", `${describe(error)}; the address it gave last is used`);
      return found.url;
    }
  }

  doubt(): void {
    if (this.#found !== null) this.#found = { ...this.#found, readAt: null };
  }

  recall(url: string): boolean {
    const parsed = URL.parse(url);
    if (parsed === null || !isTrustworthy(parsed)) return false;
    this.#found ??= { url, readAt: null };
    return true;
  }

  forget(): void {
    this.#found = null;
  }

  async #read(signal: AbortSignal): Promise<string> {
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
    throw unusable("the issuer's metadata", `cannot be used: ${reasons.join("; ")}`);
  }

  /** Another issuer's metadata must not be believed (RFC 8414 §3.3). */
  #jwksUri(what: string, { status, json }: JsonAnswer): string {
    if (status !== 200) throw unusable(what, `answered ${status}`);
    const { issuer, jwks_uri: uri } = Object(json) as { issuer?: unknown; jwks_uri?: unknown };
    if (issuer !== this.#context.issuer) throw unusable(what, "names another issuer");
    const url = typeof uri === "string" ? URL.parse(uri) : null;
    if (url === null || !isTrustworthy(url)) throw unusable(what, "has no jwks_uri with https");
    return url.href;
  }
}

/** Before the issuer's path or behind it; without its last slash. Throws `invalid_option`. */
function documentsOf(issuer: string): { what: string; url: string }[] {
  const { origin, pathname, search, hash } = new URL(trustworthyUrl("issuer", issuer));
  if (search !== "" || hash !== "") throw invalidOption("issuer", "a URL without query or fragment", issuer);
  const path = pathname.replace(/\/$/, "");
  const [openid, oauth] = ["openid-configuration", "oauth-authorization-server"];
  return [
    { what: openid, url: `${origin}${path}/.well-known/${openid}` },
    { what: oauth, url: `${origin}/.well-known/${oauth}${path}` },
  ];
}
