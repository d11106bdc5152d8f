import { LRUCache } from "lru-cache";
import { readClock, type Clock, type Instant } from "../core/clock.ts";

interface Entry<V> {
  readonly value: V;
  /** The entry ends as soon as one of the two clocks reaches its end. */
  readonly wallEnd: number;
  readonly monotonicEnd: number;
  /** How long `getStale` still returns the entry after its end. */
  readonly staleMs: number;
}

/** Counts since the cache was created, and its present and greatest size. */
interface TtlCacheStats {
  hits: number;
  misses: number;
  size: number;
  bytes: number;
  maxBytes: number;
  evictions: number;
}

/**
 * A cache bounded in bytes that evicts the least recently used entry. An entry's age is the larger of monotonic and
 * wall-clock time, so that a suspended machine or a clock set back never prolongs it.
 */
export class TtlCache<V> {
  readonly #entries: LRUCache<string, Entry<V>>;
  readonly #clock: Clock;
  readonly #maxBytes: number;
  #hits = 0;
  #misses = 0;
  #evictions = 0;

  constructor(options: { maxBytes: number; clock: Clock }) {
    const dispose = (_entry: Entry<V>, _key: string, reason: string) => {
      if (reason === "evict") this.#evictions++;
    };
    this.#maxBytes = options.maxBytes;
    this.#entries = new LRUCache({ maxSize: options.maxBytes, dispose });
    this.#clock = options.clock;
  }

  /** A caller that has read the clocks passes `now`, so that they are not read twice. */
  get(key: string, now: Instant = readClock(this.#clock)): V | undefined {
    const entry = this.#entries.get(key);
    if (entry !== undefined) {
      if (now.wall < entry.wallEnd && now.monotonic < entry.monotonicEnd) {
        this.#hits++;
        return entry.value;
      }
      this.#keepIfUsableStale(key, entry, now);
    }
    this.#misses++;
    return undefined;
  }

  /** Like `get`, but the statistics do not count the call. The caller counts a hit, or asks `get`. */
  peek(key: string, now: Instant): V | undefined {
    const entry = this.#entries.get(key);
    const isLive = entry !== undefined && now.wall < entry.wallEnd && now.monotonic < entry.monotonicEnd;
    return isLive ? entry.value : undefined;
  }

  countHit(): void {
    this.#hits++;
  }

  /** Returns an entry also after its end, for its `staleMs`. The statistics do not count the call. */
  getStale(key: string, now: Instant = readClock(this.#clock)): V | undefined {
    const entry = this.#entries.get(key);
    return entry !== undefined && this.#keepIfUsableStale(key, entry, now) ? entry.value : undefined;
  }

  /** Whether `getStale` may still return the entry. Deletes the entry otherwise. */
  #keepIfUsableStale(key: string, { wallEnd, monotonicEnd, staleMs }: Entry<V>, now: Instant): boolean {
    if (now.wall < wallEnd + staleMs && now.monotonic < monotonicEnd + staleMs) return true;
    this.#entries.delete(key);
    return false;
  }

  /** `bytes` is the size that counts for the entry. The cache does not keep an entry larger than itself. */
  set(key: string, value: V, options: { ttlMs: number; bytes: number; staleMs?: number }): void {
    const { ttlMs, bytes, staleMs = 0 } = options;
    if (!(ttlMs + staleMs > 0)) {
      this.#entries.delete(key);
      return;
    }
    const { wall, monotonic } = readClock(this.#clock);
    const entry = { value, wallEnd: wall + ttlMs, monotonicEnd: monotonic + ttlMs, staleMs };
    this.#entries.set(key, entry, { size: Math.max(1, Math.ceil(bytes)) });
  }

  delete(key: string): boolean {
    return this.#entries.delete(key);
  }

  clear(): void {
    this.#entries.clear();
  }

  stats(): TtlCacheStats {
    const { size, calculatedSize: bytes } = this.#entries;
    return {
      hits: this.#hits,
      misses: this.#misses,
      size,
      bytes,
      maxBytes: this.#maxBytes,
      evictions: this.#evictions,
    };
  }
}
