import { elapsedMsBetween, readClock, type Clock, type Instant } from "../../core/clock.ts";
import type { KeysStatus } from "./key-source.ts";

/** The age of the current key set, on the larger of both clocks, and what follows from it. */
export class KeySetAge {
  readonly #clock: Clock;
  readonly #maxStaleMs: number;
  #fetched: { readonly fetchedAt: Instant; readonly freshForMs: number } | null = null;
  /** The bound that the last warning was about: 1 is half of `maxStaleMs`, 2 is `maxStaleMs`. 0 before a warning. */
  #warnedBound: 0 | 1 | 2 = 0;

  constructor(clock: Clock, maxStaleMs: number) {
    this.#clock = clock;
    this.#maxStaleMs = maxStaleMs;
  }

  start(fetchedAt: Instant, freshForMs: number): void {
    this.#fetched = { fetchedAt, freshForMs };
    this.#warnedBound = 0;
  }

  /** The set was dropped. */
  clear(): void {
    this.#fetched = null;
  }

  /** `Infinity` without a set. */
  currentMs(now: Instant = readClock(this.#clock)): number {
    return this.#fetched === null ? Infinity : Math.max(0, elapsedMsBetween(this.#fetched.fetchedAt, now));
  }

  /** Whether there is a set and its age is below `maxStaleMs`. */
  isUsable(now?: Instant): boolean {
    return this.currentMs(now) < this.#maxStaleMs;
  }

  /** The age for `guard.status()`. */
  status(): Pick<KeysStatus, "usable" | "fresh" | "ageMs" | "maxStaleMs"> {
    const ageMs = this.currentMs();
    return {
      usable: this.isUsable(),
      fresh: this.isFresh(),
      ageMs: ageMs === Infinity ? null : ageMs,
      maxStaleMs: this.#maxStaleMs,
    };
  }

  /** The time until the set needs to be fetched again. 0 without a set. */
  freshForMs(): number {
    return this.#fetched === null ? 0 : Math.max(0, this.#fetched.freshForMs - this.currentMs());
  }

  isFresh(): boolean {
    return this.freshForMs() > 0;
  }

  /**
   * The warning that is due while the set cannot be replaced: one at half of `maxStaleMs`, one at its end. `null` when
   * no warning is due.
   */
  nextWarning(): string | null {
    const ageMs = this.currentMs();
    const bound = ageMs >= this.#maxStaleMs ? 2 : ageMs >= this.#maxStaleMs / 2 ? 1 : 0;
    if (this.#fetched === null || bound <= this.#warnedBound) return null;
    this.#warnedBound = bound;
    const age = `the key set is ${Math.floor(ageMs / 1000)} s old`;
    if (bound === 2) return `${age} and no longer used: no token can be verified`;
    return `${age}; it is used until ${this.#maxStaleMs / 1000} s`;
  }
}
