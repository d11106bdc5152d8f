import type { Clock, Instant } from "../../core/clock.ts";
import { Histogram } from "../../core/metrics.ts";
import type { ResultOrigin } from "./decision-counts.ts";

/** Upper bounds in seconds: from one microsecond, the time of a hit, to five seconds. */
const BOUNDS = [
  1e-6, 2e-6, 5e-6, 1e-5, 2.5e-5, 5e-5, 1e-4, 2.5e-4, 0.001, 0.005, 0.025, 0.1, 0.25, 1, 5,
] as const;

/** One of so many decisions from memory is timed. A power of two. */
export const TIMED_HITS = 256;

/** Times decisions: one in {@link TIMED_HITS} of those from memory, and all others. */
export class DecisionDurations {
  readonly byOrigin: Readonly<Record<ResultOrigin, Histogram>> = {
    memory: new Histogram(BOUNDS),
    shared: new Histogram(BOUNDS),
    verification: new Histogram(BOUNDS),
    joined: new Histogram(BOUNDS),
  };
  readonly #clock: Clock;
  #hits = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Whether this decision from memory is timed. */
  isHitTimed(): boolean {
    return this.#hits++ % TIMED_HITS === 0;
  }

  /** Returns the milliseconds since `startedAt`. `traceId` is that of the decision, if it is recorded. */
  record(from: ResultOrigin, startedAt: Instant, traceId: string | undefined): number {
    const ms = this.#clock.monotonic() - startedAt.monotonic;
    const trace = traceId === undefined ? undefined : { traceId, at: this.#clock.now() };
    this.byOrigin[from].record(ms / 1_000, trace);
    return ms;
  }
}
