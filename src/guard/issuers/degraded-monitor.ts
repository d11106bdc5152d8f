import { elapsedMs, readClock, type Clock, type Instant } from "../../core/clock.ts";
import { emit, type GuardEventSource } from "../emit.ts";

/** So long without another one, and an answer ends it: who is slow now and then must not flood a log. */
const QUIET_MS = 1_000;

/** Counts what is let in without one authority, and says when that begins and ends. */
export class DegradedMonitor {
  readonly #source: GuardEventSource;
  readonly #clock: Clock;
  #decisions = 0;
  /** `null` when that has ended. */
  #lastDecisionAt: Instant | null = null;
  #fallbackBlockedUntil = -Infinity;

  constructor(source: GuardEventSource, clock: Clock) {
    this.#source = source;
    this.#clock = clock;
  }

  get decisions(): number {
    return this.#decisions;
  }

  /** Epoch ms: until then something is refused that only the authority knows of. */
  get fallbackBlockedUntil(): number {
    return this.#fallbackBlockedUntil;
  }

  recordDecision(cause: string): void {
    this.#decisions++;
    if (this.#lastDecisionAt === null) {
      emit(this.#source, "degraded_began", `tokens are let in without the authority: ${cause}`);
    }
    this.#lastDecisionAt = readClock(this.#clock);
  }

  /** The authority answered. */
  recordAnswer(): void {
    if (this.#lastDecisionAt === null || elapsedMs(this.#clock, this.#lastDecisionAt) < QUIET_MS) return;
    this.#lastDecisionAt = null;
    emit(this.#source, "degraded_ended", "the authority answers; what was let in is asked about again");
  }

  /** There was no room for its no about a token that ends then. */
  blockFallback(until: number): void {
    this.#fallbackBlockedUntil = Math.max(this.#fallbackBlockedUntil, until);
  }
}
