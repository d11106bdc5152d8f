import { hash } from "node:crypto";
import type { Clock } from "../core/clock.ts";
import { invalidOption, readOptions } from "../core/options.ts";
import { SingleFlight } from "../resilience/single-flight.ts";
import { TtlCache, ttlCacheOptionTable, type CacheStats, type TtlCacheOptions } from "./async-ttl-cache.ts";

/**
 * Caches the results of your own token validator. The key is a digest, and the token itself is not stored. A result with
 * `exp` (epoch seconds) is never returned after that time. Results are frozen at their top level, because callers share
 * them. The constructor throws `invalid_option` or `missing_method`.
 *
 * @example
 * ```ts
 * import { TokenCache } from "holdfast/cache";
 *
 * declare const validate: (token: string) => Promise<{ sub: string; exp: number } | null>;
 *
 * const cache = new TokenCache<{ sub: string; exp: number }>({ ttlMs: 60_000 });
 * const claims = await cache.getOrValidate("eyJhbGciOi…", validate);
 * if (claims === null) console.log("The token is not valid.");
 * await cache.invalidateCachedToken("eyJhbGciOi…");
 * ```
 */
export class TokenCache<T extends object> {
  readonly #results: TtlCache<T>;
  readonly #singleFlight = new SingleFlight<string, T | null>();
  readonly #clock: Clock;
  readonly #ttlMs: number;
  #invalidations = 0;

  constructor(options: TtlCacheOptions = {}) {
    const settings = readOptions("TokenCache", options, ttlCacheOptionTable);
    this.#results = new TtlCache(settings);
    this.#clock = settings.clock;
    this.#ttlMs = settings.ttlMs;
  }

  /**
   * Stores a result for `ttlMs` milliseconds, and never longer than its `exp`. `null` is not stored. Rejects with
   * `invalid_option` when the result is not an object.
   */
  async cacheToken(token: string, result: T | null, ttlMs: number = this.#ttlMs): Promise<void> {
    if (result === null) return;
    if (typeof result !== "object") throw invalidOption("result", "an object or null", result);
    const { exp } = result as { exp?: unknown };
    const lifeLeftMs = exp === undefined ? Infinity : Number(exp) * 1000 - this.#clock.now();
    // A result whose `exp` is not a number counts as expired.
    const ttl = Number.isNaN(lifeLeftMs) ? 0 : Math.min(ttlMs, lifeLeftMs);
    await this.#results.set(tokenDigest(token), Object.freeze(result), ttl);
  }

  /** Returns the stored result. `null` when no result is stored. */
  async getCachedToken(token: string): Promise<T | null> {
    return await this.#results.get(tokenDigest(token));
  }

  /** Removes the result of a token. The result of a validation in progress is not stored either. */
  async invalidateCachedToken(token: string): Promise<void> {
    this.#invalidations++;
    await this.#results.delete(tokenDigest(token));
  }

  /**
   * Returns the stored result, or the result of `validate`. Concurrent calls for one token share one call of `validate`.
   * Its result is stored, except `null`. An error of `validate` is thrown, and nothing is stored.
   */
  async getOrValidate(
    token: string,
    validate: (token: string) => Promise<T | null> | T | null,
  ): Promise<T | null> {
    const cached = await this.getCachedToken(token);
    if (cached !== null) return cached;
    const invalidations = this.#invalidations;
    return await this.#singleFlight.run(`${invalidations} ${tokenDigest(token)}`, async () => {
      const result = await validate(token);
      if (invalidations === this.#invalidations) await this.cacheToken(token, result);
      return result;
    });
  }

  async getStats(): Promise<CacheStats> {
    return await this.#results.getStats();
  }
}

function tokenDigest(token: string): string {
  return hash("sha256", token, "base64url");
}
