import { instant, type Clock, type Instant } from "../core/clock.ts";

interface Entry<V> {
  readonly value: V;
  readonly bytes: number;
  /** It ends on whichever clock is there first. */
  readonly wallEnd: number;
  readonly monotonicEnd: number;
  /** Got since the hand came by last. */
  used: boolean;
}

/**
 * A cache bounded in bytes. An entry's age is the larger of monotonic and wall-clock time, so a suspended machine or a
 * clock set back never makes an entry live longer.
 *
 * Room is made by SIEVE (Zhang et al., NSDI 2024): a hand goes round from old to new, spares once what was used since
 * it came by, and takes the first that was not. A hit only sets a flag, which costs half of what moving an entry in a
 * list of recency does, and entries used once never push out the others.
 */
export class TtlCache<V> {
  readonly #entries = new Map<string, Entry<V>>();
  readonly #maxBytes: number;
  readonly #clock: Clock;
  /** Map iterators stay valid while entries come and go. */
  #hand: MapIterator<[string, Entry<V>]> = this.#entries.entries();
  #bytes = 0;
  #hits = 0;
  #misses = 0;

  constructor(options: { maxBytes: number; clock: Clock }) {
    this.#maxBytes = options.maxBytes;
    this.#clock = options.clock;
  }

  /** `now` saves reading the clocks twice. */
  get(key: string, now: Instant = instant(this.#clock)): V | undefined {
    const entry = this.#entries.get(key);
    if (entry !== undefined) {
      if (now.wall < entry.wallEnd && now.monotonic < entry.monotonicEnd) {
        entry.used = true;
        this.#hits++;
        return entry.value;
      }
      this.delete(key);
    }
    this.#misses++;
    return undefined;
  }

  /** `bytes` is what the entry is counted as. One larger than the whole cache is not kept. */
  set(key: string, value: V, options: { ttlMs: number; bytes: number }): void {
    this.delete(key);
    const { ttlMs } = options;
    const bytes = Math.max(1, options.bytes);
    if (!(ttlMs > 0) || !(bytes <= this.#maxBytes)) return;
    while (this.#bytes + bytes > this.#maxBytes) this.#evict();
    const { wall, monotonic } = instant(this.#clock);
    const entry = { value, bytes, wallEnd: wall + ttlMs, monotonicEnd: monotonic + ttlMs, used: false };
    this.#entries.set(key, entry);
    this.#bytes += bytes;
  }

  delete(key: string): boolean {
    this.#bytes -= this.#entries.get(key)?.bytes ?? 0;
    return this.#entries.delete(key);
  }

  clear(): void {
    this.#entries.clear();
    this.#bytes = 0;
  }

  stats(): { hits: number; misses: number; size: number; bytes: number } {
    return { hits: this.#hits, misses: this.#misses, size: this.#entries.size, bytes: this.#bytes };
  }

  /** Takes one entry out; there is one. */
  #evict(): void {
    for (;;) {
      const { done, value } = this.#hand.next();
      if (done === true) {
        this.#hand = this.#entries.entries();
        continue;
      }
      const [key, entry] = value;
      if (!entry.used) {
        this.delete(key);
        return;
      }
      entry.used = false;
    }
  }
}
