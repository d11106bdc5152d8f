import { readClock, type Clock, type Instant } from "../core/clock.ts";

interface Entry<V> {
  readonly key: string;
  readonly value: V;
  readonly bytes: number;
  /**
   * The entry ends as soon as one of the two clocks reaches its end. Both count whole milliseconds since the cache was
   * created, because V8 keeps a small whole number in the entry itself.
   */
  readonly wallEnd: number;
  readonly monotonicEnd: number;
  /** How long `getStale` still returns the entry after its end. */
  readonly staleMs: number;
  /** The index of the entry in the ring. */
  readonly slot: number;
  /** Whether the entry was read since the hand of the ring passed it. */
  isUsed: boolean;
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

/** Entries that one eviction spares because they were used. It bounds the time of a write to a large cache. */
const MAX_SPARED = 1_000;

/**
 * A cache bounded in bytes that evicts entries that were not used lately. It is the clock algorithm: a hand passes over a
 * ring of entries, and spares a used one once. A hit writes to its own entry at most, so it costs the same in a large
 * cache. An entry's age is the larger of monotonic and wall-clock time, so that a suspended machine or a clock set back
 * never prolongs it.
 */
export class TtlCache<V> {
  readonly #entries = new Map<string, Entry<V>>();
  /** Every entry, in its slot. `undefined` in a free slot. */
  readonly #ring: (Entry<V> | undefined)[] = [];
  readonly #freeSlots: number[] = [];
  #hand = 0;
  readonly #clock: Clock;
  readonly #createdAt: Instant;
  readonly #maxBytes: number;
  #bytes = 0;
  #hits = 0;
  #misses = 0;
  #evictions = 0;

  constructor(options: { maxBytes: number; clock: Clock }) {
    this.#maxBytes = options.maxBytes;
    this.#clock = options.clock;
    this.#createdAt = readClock(options.clock);
  }

  /** A caller that has read the clocks passes `now`, so that they are not read twice. */
  get(key: string, now: Instant = readClock(this.#clock)): V | undefined {
    const entry = this.#entries.get(key);
    if (entry !== undefined) {
      if (this.#isLive(entry, now)) {
        this.#hits++;
        if (!entry.isUsed) entry.isUsed = true;
        return entry.value;
      }
      this.#keepIfUsableStale(entry, now);
    }
    this.#misses++;
    return undefined;
  }

  /** Like `get`, but the statistics do not count the call. The caller counts a hit, or asks `get`. */
  peek(key: string, now: Instant): V | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined || !this.#isLive(entry, now)) return undefined;
    if (!entry.isUsed) entry.isUsed = true;
    return entry.value;
  }

  countHit(): void {
    this.#hits++;
  }

  /** Returns an entry also after its end, for its `staleMs`. The statistics do not count the call. */
  getStale(key: string, now: Instant = readClock(this.#clock)): V | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined || !this.#keepIfUsableStale(entry, now)) return undefined;
    entry.isUsed = true;
    return entry.value;
  }

  #isLive({ wallEnd, monotonicEnd }: Entry<V>, { wall, monotonic }: Instant): boolean {
    const { wall: wallStart, monotonic: monotonicStart } = this.#createdAt;
    return wall - wallStart < wallEnd && monotonic - monotonicStart < monotonicEnd;
  }

  /** Whether `getStale` may still return the entry. Deletes the entry otherwise. */
  #keepIfUsableStale(entry: Entry<V>, { wall, monotonic }: Instant): boolean {
    const { wallEnd, monotonicEnd, staleMs } = entry;
    const { wall: wallStart, monotonic: monotonicStart } = this.#createdAt;
    if (wall - wallStart < wallEnd + staleMs && monotonic - monotonicStart < monotonicEnd + staleMs)
      return true;
    this.#remove(entry);
    return false;
  }

  /** `bytes` is the size that counts for the entry. The cache does not keep an entry larger than itself. */
  set(key: string, value: V, options: { ttlMs: number; bytes: number; staleMs?: number }): void {
    const { ttlMs, staleMs = 0 } = options;
    const bytes = Math.max(1, Math.ceil(options.bytes));
    const earlier = this.#entries.get(key);
    if (!(ttlMs + staleMs > 0) || bytes > this.#maxBytes) {
      if (earlier !== undefined) this.#remove(earlier);
      return;
    }
    const { wall, monotonic } = readClock(this.#clock);
    const entry: Entry<V> = {
      key,
      value,
      bytes,
      wallEnd: Math.floor(wall - this.#createdAt.wall + ttlMs),
      monotonicEnd: Math.floor(monotonic - this.#createdAt.monotonic + ttlMs),
      staleMs,
      slot: earlier?.slot ?? this.#freeSlots.pop() ?? this.#ring.length,
      // An entry that is written again is in use.
      isUsed: earlier !== undefined,
    };
    this.#bytes += bytes - (earlier?.bytes ?? 0);
    this.#entries.set(key, entry);
    this.#ring[entry.slot] = entry;
    this.#evict(entry);
  }

  /** Evicts until the bytes fit, and never the entry that was just written. */
  #evict(written: Entry<V>): void {
    let spared = 0;
    while (this.#bytes > this.#maxBytes) {
      const entry = this.#ring[this.#hand];
      this.#hand = this.#hand + 1 < this.#ring.length ? this.#hand + 1 : 0;
      if (entry === undefined || entry === written) continue;
      if (entry.isUsed && spared < MAX_SPARED) {
        entry.isUsed = false;
        spared++;
        continue;
      }
      this.#remove(entry);
      this.#evictions++;
    }
  }

  #remove({ key, slot, bytes }: Entry<V>): void {
    this.#entries.delete(key);
    this.#ring[slot] = undefined;
    this.#freeSlots.push(slot);
    this.#bytes -= bytes;
  }

  delete(key: string): boolean {
    const entry = this.#entries.get(key);
    if (entry !== undefined) this.#remove(entry);
    return entry !== undefined;
  }

  clear(): void {
    this.#entries.clear();
    this.#ring.length = 0;
    this.#freeSlots.length = 0;
    this.#hand = 0;
    this.#bytes = 0;
  }

  stats(): TtlCacheStats {
    return {
      hits: this.#hits,
      misses: this.#misses,
      size: this.#entries.size,
      bytes: this.#bytes,
      maxBytes: this.#maxBytes,
      evictions: this.#evictions,
    };
  }
}
