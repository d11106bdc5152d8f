import { elapsedMsBetween, readClock, type Clock, type Instant } from "../../core/clock.ts";
import type { VerificationKey } from "../../jwt/jwk-set.ts";

/** The largest number of keys in a set. Beyond that, the key that left first is dropped. */
const MAX_KEYS = 500;

/** The keys that left the set, each for a bounded time. */
export class VanishedKeys {
  readonly #clock: Clock;
  readonly #lifetimeMs: number;
  readonly #since = new Map<VerificationKey, Instant>();

  constructor(clock: Clock, lifetimeMs: number) {
    this.#clock = clock;
    this.#lifetimeMs = lifetimeMs;
  }

  /** The keys whose time has not run out. */
  get keys(): readonly VerificationKey[] {
    return [...this.#since.keys()].filter((key) => this.has(key));
  }

  has(key: VerificationKey, now: Instant = readClock(this.#clock)): boolean {
    const since = this.#since.get(key);
    return since !== undefined && elapsedMsBetween(since, now) < this.#lifetimeMs;
  }

  /** Adds keys that left the set, and removes keys that the set holds again. */
  update(removed: readonly VerificationKey[], isPresent: (key: VerificationKey) => boolean): void {
    const now = readClock(this.#clock);
    for (const key of removed) this.#since.set(key, now);
    for (const key of this.#since.keys()) {
      if (isPresent(key) || !this.has(key, now) || this.#since.size > MAX_KEYS) this.#since.delete(key);
    }
  }

  clear(): void {
    this.#since.clear();
  }
}
