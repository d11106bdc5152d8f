import { systemClock, type Clock } from "../core/clock.ts";
import {
  invalidOption,
  option,
  readOptions,
  requireMethods,
  wholeOption,
  type OptionTable,
} from "../core/options.ts";
import { TtlCache as BoundedCache } from "../resilience/ttl-cache.ts";

/** The options of `TtlCache` and `TokenCache`. */
export interface TtlCacheOptions {
  /** The greatest size of all entries. Entries that were not used lately are evicted. Default 16,777,216 (16 MiB). */
  maxBytes?: number;
  /** The lifetime of an entry, in milliseconds, unless `set` names another. Default 300,000 (5 minutes). */
  ttlMs?: number;
  /** The source of time. Default: the system's clock. */
  clock?: Clock;
}

/** The options of `TtlCache` and `TokenCache`, with their limits and defaults. */
export const ttlCacheOptionTable: OptionTable<Readonly<Required<TtlCacheOptions>>> = {
  maxBytes: wholeOption(16_777_216, 1),
  ttlMs: wholeOption(300_000, 1),
  clock: option((_, clock = systemClock) => {
    requireMethods("TtlCache", "clock", clock, ["now", "monotonic"]);
    return clock as Clock;
  }),
};

/** Counts of a cache. */
export interface CacheStats {
  readonly hits: number;
  readonly misses: number;
  /** The share of hits, from 0 to 1. It is 0 before the first lookup. */
  readonly hitRate: number;
  readonly size: number;
  /** The estimated size of all entries. A value counts by its length as JSON. */
  readonly bytes: number;
}

/** The size of an entry without its value. */
const ENTRY_OVERHEAD_BYTES = 300;
/** The size that counts for a value without a JSON form: a circular one, or one with a bigint. */
const UNKNOWN_SIZE_BYTES = 4_096;

/**
 * A cache with a limit on its size and on the lifetime of its entries. Every method returns a promise, so that callers
 * await all of them alike. The constructor throws `invalid_option` or `missing_method`.
 *
 * @example
 * ```ts
 * import { TtlCache } from "holdfast/cache";
 *
 * const names = new TtlCache<string>({ maxBytes: 1_000_000, ttlMs: 60_000 });
 * await names.set("u1", "Alice");
 * console.log(await names.get("u1"), await names.getStats());
 * ```
 */
export class TtlCache<V> {
  readonly #cache: BoundedCache<V>;
  readonly #ttlMs: number;

  constructor(options: TtlCacheOptions = {}) {
    const { maxBytes, ttlMs, clock } = readOptions("TtlCache", options, ttlCacheOptionTable);
    this.#cache = new BoundedCache({ maxBytes, clock });
    this.#ttlMs = ttlMs;
  }

  /** Returns the value, or `null` when the cache has none. */
  async get(key: string): Promise<V | null> {
    return await Promise.resolve(this.#cache.get(key) ?? null);
  }

  /**
   * Stores a value for `ttlMs` milliseconds. A lifetime of 0 or less removes the entry instead. Rejects with
   * `invalid_option` when `ttlMs` is not a number.
   */
  async set(key: string, value: V, ttlMs: number = this.#ttlMs): Promise<void> {
    if (typeof ttlMs !== "number" || Number.isNaN(ttlMs)) throw invalidOption("ttlMs", "a number", ttlMs);
    const bytes = ENTRY_OVERHEAD_BYTES + estimateBytes(value);
    await Promise.resolve(this.#cache.set(key, value, { ttlMs, bytes }));
  }

  /** Removes an entry. Resolves with whether there was one. */
  async delete(key: string): Promise<boolean> {
    return await Promise.resolve(this.#cache.delete(key));
  }

  async clear(): Promise<void> {
    await Promise.resolve(this.#cache.clear());
  }

  async getStats(): Promise<CacheStats> {
    const { hits, misses, size, bytes } = this.#cache.stats();
    const hitRate = hits === 0 ? 0 : hits / (hits + misses);
    return await Promise.resolve({ hits, misses, hitRate, size, bytes });
  }
}

function estimateBytes(value: unknown): number {
  try {
    return 2 * (JSON.stringify(value)?.length ?? 0);
  } catch {
    return UNKNOWN_SIZE_BYTES;
  }
}
