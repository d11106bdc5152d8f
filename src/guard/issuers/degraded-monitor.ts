import { elapsedMs, readClock, type Clock, type Instant } from "../../core/clock.ts";
import { emit, type GuardEventSource } from "../emit.ts";

/**
 * Degraded mode ends at the first answer after this long without another degraded decision. A shorter time would let a
 * slow authority flood the log.
 */
const QUIET_MS = 1_000;

/** Counts the decisions without one authority, and emits when degraded mode begins and ends. */
export class DegradedMonitor {
  readonly #source: GuardEventSource;
  readonly #clock: Clock;
  #decisions = 0;
  /** `null` while degraded mode is over. */
  #lastDecisionAt: Instant | null = null;
  #fallbackBlockedUntil = -Infinity;

  constructor(source: GuardEventSource, clock: Clock) {
    this.#source = source;
    this.#clock = clock;
  }

  get decisions(): number {
    return this.#decisions;
  }

  /** Whether degraded mode has begun and has not ended. */
  get isDegraded(): boolean {
    return this.#lastDecisionAt !== null;
  }

  /** Epoch milliseconds. Until then a denial exists that only the authority remembers, so the guard must not fall back. */
  get fallbackBlockedUntil(): number {
    return this.#fallbackBlockedUntil;
  }

  recordDecision(cause: string): void {
    this.#decisions++;
    if (this.#lastDecisionAt === null) {
      emit(this.#source, "degraded_began", `the guard accepts tokens without the authority: ${cause}`);
    }
    this.#lastDecisionAt = readClock(this.#clock);
  }

  /** Records that the authority answered. */
  recordAnswer(): void {
    if (this.#lastDecisionAt === null || elapsedMs(this.#clock, this.#lastDecisionAt) < QUIET_MS) return;
    this.#lastDecisionAt = null;
    const message =
      "the authority answers; it is asked again about the tokens that were accepted without the authority";
    emit(this.#source, "degraded_ended", message);
  }

  /** Records that the revocation view had no room for a denial, which counts until `until` (epoch milliseconds). */
  blockFallback(until: number): void {
    this.#fallbackBlockedUntil = Math.max(this.#fallbackBlockedUntil, until);
  }
}
