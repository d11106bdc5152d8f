import { between, instant, type Clock, type Instant } from "../../core/clock.ts";

/** How old the set is, by the larger clock, and what that means. */
export class SetAge {
  readonly #clock: Clock;
  readonly #maxStaleMs: number;
  #set: { readonly fetchedAt: Instant; readonly freshForMs: number } | null = null;
  /** Which of the two bounds was told of. */
  #told: 0 | 1 | 2 = 0;

  constructor(clock: Clock, maxStaleMs: number) {
    this.#clock = clock;
    this.#maxStaleMs = maxStaleMs;
  }

  begin(fetchedAt: Instant, freshForMs: number): void {
    this.#set = { fetchedAt, freshForMs };
    this.#told = 0;
  }

  /** There is no set any more. */
  end(): void {
    this.#set = null;
  }

  /** `Infinity` without a set. */
  ms(now: Instant = instant(this.#clock)): number {
    return this.#set === null ? Infinity : Math.max(0, between(this.#set.fetchedAt, now));
  }

  /** Whether there is a set, and not too old a one to be believed. */
  isServed(now?: Instant): boolean {
    return this.ms(now) < this.#maxStaleMs;
  }

  /** Until another is asked for. */
  freshLeftMs(): number {
    return this.#set === null ? 0 : Math.max(0, this.#set.freshForMs - this.ms());
  }

  isFresh(): boolean {
    return this.freshLeftMs() > 0;
  }

  /** What has to be told of a set that cannot be replaced: once when half of its time is gone, and once at the end. */
  alarm(): string | null {
    const ageMs = this.ms();
    const bound = ageMs >= this.#maxStaleMs ? 2 : ageMs >= this.#maxStaleMs / 2 ? 1 : 0;
    if (this.#set === null || bound <= this.#told) return null;
    this.#told = bound;
    const age = `the key set is ${Math.floor(ageMs / 1000)} s old`;
    if (bound === 2) return `${age} and is not used any more: no token can be proved`;
    return `${age}; after ${this.#maxStaleMs / 1000} s it is not used any more`;
  }
}
