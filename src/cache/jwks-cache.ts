import { systemRandom } from "../core/entropy.ts";
import { systemClock, type Clock } from "../core/clock.ts";
import { HoldfastError } from "../core/errors.ts";
import { prepareJwksKeyring } from "../guard/keys/jwks.ts";
import type { JwksKeyring } from "../guard/keys/jwks-keyring.ts";
import type { JwksOptions } from "../guard/keys/jwks-options.ts";

/**
 * Fetches and keeps a provider's JWK Set (RFC 7517) for another JWT library. Concurrent calls share one request. The last
 * good set is served while a newer one is fetched and during an outage. A set without a usable key never replaces it. The
 * constructor throws `invalid_option`.
 *
 * @example
 * ```ts
 * import { JwksCache } from "holdfast/cache";
 *
 * const cache = new JwksCache("https://id.example.com/.well-known/jwks.json");
 * const { keys } = await cache.getJwks();
 * console.log(keys.map(({ kid }) => kid));
 * ```
 */
export class JwksCache {
  readonly #keyring: JwksKeyring;

  constructor(url: string, options: JwksOptions & { clock?: Clock } = {}) {
    const { clock = systemClock, ...rest } = options;
    this.#keyring = prepareJwksKeyring(
      url,
      rest,
    )({
      guard: "jwks-cache",
      issuer: url,
      algorithms: undefined,
      clock,
      random: systemRandom,
      snapshots: undefined,
    });
  }

  /** Resolves with the set as the provider sent it. Rejects with `not_ready` until a set was fetched. */
  async getJwks(): Promise<{ keys: readonly Record<string, unknown>[] }> {
    const document = await this.#keyring.document();
    if (document !== null) return document as { keys: Record<string, unknown>[] };
    const { lastError, coolingDownMs } = this.#keyring.status();
    throw new HoldfastError("not_ready", `no key set was fetched yet: ${lastError ?? "no response"}`, {
      retryAfterMs: coolingDownMs,
    });
  }
}
