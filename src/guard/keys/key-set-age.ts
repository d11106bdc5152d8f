import { elapsedMsBetween, readClock, type Clock, type Instant } from "../../core/clock.ts";

/** How old the set is, by the larger clock, and what that means. */
export class KeySetAge {
  readonly #clock: Clock;
  readonly #maxStaleMs: number;
  #fetched: { readonly fetchedAt: Instant; readonly freshForMs: number } | null = null;
  /** Which of the two bounds was told of. */
  #warnedBound: 0 | 1 | 2 = 0;

  constructor(clock: Clock, maxStaleMs: number) {
    this.#clock = clock;
    this.#maxStaleMs = maxStaleMs;
  }

  start(fetchedAt: Instant, freshForMs: number): void {
    this.#fetched = { fetchedAt, freshForMs };
    this.#warnedBound = 0;
  }

  /** There is no set any more. */
  clear(): void {
    this.#fetched = null;
  }

  /** `Infinity` without a set. */
  currentMs(now: Instant = readClock(this.#clock)): number {
    return this.#fetched === null ? Infinity : Math.max(0, elapsedMsBetween(this.#fetched.fetchedAt, now));
  }

  /** Whether there is a set, and not too old a one to be believed. */
  isUsable(now?: Instant): boolean {
    return this.currentMs(now) < this.#maxStaleMs;
  }

  /** Until another is asked for. */
  freshForMs(): number {
    return this.#fetched === null ? 0 : Math.max(0, this.#fetched.freshForMs - this.currentMs());
  }

  isFresh(): boolean {
    return this.freshForMs() > 0;
  }

  /** What has to be told of a set that cannot be replaced: once when half of its time is gone, and once at the end. */
  nextWarning(): string | null {
    const ageMs = this.currentMs();
    const bound = ageMs >= this.#maxStaleMs ? 2 : ageMs >= this.#maxStaleMs / 2 ? 1 : 0;
    if (this.#fetched === null || bound <= this.#warnedBound) return null;
    this.#warnedBound = bound;
    const age = `the key set is ${Math.floor(ageMs / 1000)} s old`;
    if (bound === 2) return `${age} and is not used any more: no token can be proved`;
    return `${age}; after ${this.#maxStaleMs / 1000} s it is not used any more`;
  }
}
