import { hash } from "node:crypto";
import { systemClock, type Clock } from "../core/clock.ts";
import { invalidOption } from "../core/options.ts";
import { SingleFlight } from "../resilience/single-flight.ts";
import { TtlCache, type CacheStats, type TtlCacheOptions } from "./async-ttl-cache.ts";

/**
 * Results of a validator of your own, by the digest of their token; the token itself is not kept. A result with `exp`
 * (epoch seconds) is never given out past it. Results are frozen at their top level, because callers share them.
 */
export class TokenCache<T extends object> {
  readonly #results: TtlCache<T>;
  readonly #singleFlight = new SingleFlight<string, T | null>();
  readonly #clock: Clock;
  readonly #ttlMs: number;
  #invalidations = 0;

  constructor(options: TtlCacheOptions = {}) {
    this.#results = new TtlCache(options);
    this.#clock = options.clock ?? systemClock;
    this.#ttlMs = options.ttlMs ?? 300_000;
  }

  /** `null` is not kept. Rejects with `invalid_option` what is no object. With `ttlMs` ≤ 0 it has expired already. */
  async cacheToken(token: string, result: T | null, ttlMs: number = this.#ttlMs): Promise<void> {
    if (result === null) return;
    if (typeof result !== "object") throw invalidOption("result", "an object or null", result);
    const { exp } = result as { exp?: unknown };
    const lifeLeftMs = exp === undefined ? Infinity : Number(exp) * 1000 - this.#clock.now();
    // An `exp` that is no number leaves no life.
    const ttl = Number.isNaN(lifeLeftMs) ? 0 : Math.min(ttlMs, lifeLeftMs);
    await this.#results.set(tokenDigest(token), Object.freeze(result), ttl);
  }

  /** The result, or `null`. */
  async getCachedToken(token: string): Promise<T | null> {
    return await this.#results.get(tokenDigest(token));
  }

  /** Also keeps what is being validated right now from being kept. */
  async invalidateCachedToken(token: string): Promise<void> {
    this.#invalidations++;
    await this.#results.delete(tokenDigest(token));
  }

  /** The result kept, or that of `validate`: one call of it however many ask, kept unless invalidated meanwhile. */
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
