import { elapsedMs, instant, type Clock, type Instant } from "../core/clock.ts";
import { report, type Source } from "./report.ts";

/** So long without another one, and an answer ends it: who is slow now and then must not flood a log. */
const QUIET_MS = 1_000;

/** Counts what is let in without one authority, and says when that begins and ends. */
export class Lapses {
  readonly #source: Source;
  readonly #clock: Clock;
  #decisions = 0;
  /** `null` when that has ended. */
  #latest: Instant | null = null;
  #barredUntil = -Infinity;

  constructor(source: Source, clock: Clock) {
    this.#source = source;
    this.#clock = clock;
  }

  get decisions(): number {
    return this.#decisions;
  }

  /** Epoch ms: until then something is refused that only the authority knows of. */
  get barredUntil(): number {
    return this.#barredUntil;
  }

  count(cause: string): void {
    this.#decisions++;
    if (this.#latest === null) {
      report(this.#source, "degraded_began", `tokens are let in without the authority: ${cause}`);
    }
    this.#latest = instant(this.#clock);
  }

  /** The authority answered. */
  answered(): void {
    if (this.#latest === null || elapsedMs(this.#clock, this.#latest) < QUIET_MS) return;
    this.#latest = null;
    report(this.#source, "degraded_ended", "the authority answers; what was let in is asked about again");
  }

  /** There was no room for its no about a token that ends then. */
  bar(until: number): void {
    this.#barredUntil = Math.max(this.#barredUntil, until);
  }
}
