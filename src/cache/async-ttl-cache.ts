import { systemClock, type Clock } from "../core/clock.ts";
import { invalidOption, rejectUnknownOptions, requireMethods, readWholeNumber } from "../core/options.ts";
import { TtlCache as BoundedCache } from "../resilience/ttl-cache.ts";

export interface TtlCacheOptions {
  /** Default 16 MiB. */
  maxBytes?: number;
  /** How long an entry lives unless told otherwise. Default 5 minutes. */
  ttlMs?: number;
  clock?: Clock;
}

export interface CacheStats {
  readonly hits: number;
  readonly misses: number;
  /** From 0 to 1; 0 before the first look-up. */
  readonly hitRate: number;
  readonly size: number;
  /** As counted: values by their length as JSON. */
  readonly bytes: number;
}

/** What an entry takes besides its value. */
const ENTRY_OVERHEAD_BYTES = 300;
/** For a value that is no JSON: circular, or with a bigint. */
const UNKNOWN_SIZE_BYTES = 4_096;

/** A cache bounded in bytes and time. Every method returns a promise. */
export class TtlCache<V> {
  readonly #cache: BoundedCache<V>;
  readonly #ttlMs: number;

  constructor(options: TtlCacheOptions = {}) {
    rejectUnknownOptions("TtlCache", options, ["maxBytes", "ttlMs", "clock"]);
    const { clock = systemClock } = options;
    requireMethods("TtlCache", "clock", clock, ["now", "monotonic"]);
    const maxBytes = readWholeNumber("maxBytes", options.maxBytes, { default: 16_777_216, min: 1 });
    this.#cache = new BoundedCache({ maxBytes, clock });
    this.#ttlMs = readWholeNumber("ttlMs", options.ttlMs, { default: 300_000, min: 1 });
  }

  /** The value, or `null`. */
  async get(key: string): Promise<V | null> {
    return await Promise.resolve(this.#cache.get(key) ?? null);
  }

  /** With `ttlMs` ≤ 0 it has expired already: whatever stood under the key goes. */
  async set(key: string, value: V, ttlMs: number = this.#ttlMs): Promise<void> {
    if (typeof ttlMs !== "number" || Number.isNaN(ttlMs)) throw invalidOption("ttlMs", "a number", ttlMs);
    await Promise.resolve(
      this.#cache.set(key, value, { ttlMs, bytes: ENTRY_OVERHEAD_BYTES + estimateBytes(value) }),
    );
  }

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
