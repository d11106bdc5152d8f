import { LRUCache } from "lru-cache";
import { readClock, type Clock, type Instant } from "../core/clock.ts";

interface Entry<V> {
  readonly value: V;
  /** It ends on whichever clock is there first. */
  readonly wallEnd: number;
  readonly monotonicEnd: number;
  /** How much longer it is kept for whoever takes it stale. */
  readonly staleMs: number;
}

/**
 * A cache bounded in bytes; the least recently used makes room. An entry's age is the larger of monotonic and
 * wall-clock time, so a suspended machine or a clock set back never makes an entry live longer.
 */
export class TtlCache<V> {
  readonly #entries: LRUCache<string, Entry<V>>;
  readonly #clock: Clock;
  #hits = 0;
  #misses = 0;

  constructor(options: { maxBytes: number; clock: Clock }) {
    this.#entries = new LRUCache({ maxSize: options.maxBytes });
    this.#clock = options.clock;
  }

  /** `now` saves reading the clocks twice. */
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

  /** Also past its time, if it was set with time to spare. Counts neither as a hit nor as a miss. */
  getStale(key: string, now: Instant = readClock(this.#clock)): V | undefined {
    const entry = this.#entries.get(key);
    return entry !== undefined && this.#keepIfUsableStale(key, entry, now) ? entry.value : undefined;
  }

  #keepIfUsableStale(key: string, { wallEnd, monotonicEnd, staleMs }: Entry<V>, now: Instant): boolean {
    if (now.wall < wallEnd + staleMs && now.monotonic < monotonicEnd + staleMs) return true;
    this.#entries.delete(key);
    return false;
  }

  /** `bytes` is what the entry is counted as. One larger than the whole cache is not kept. */
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

  stats(): { hits: number; misses: number; size: number; bytes: number } {
    const { size, calculatedSize: bytes } = this.#entries;
    return { hits: this.#hits, misses: this.#misses, size, bytes };
  }
}
