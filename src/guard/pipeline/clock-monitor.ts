import { readClock, type Clock, type Instant } from "../../core/clock.ts";

/** Smaller differences are drift, and are followed, though not at every turn. */
const STEP_MS = 1_000;
const DRIFT_MS = 100;
/** A guard that nobody asks does not see when the clock jumped; it took place this long ago at most. */
const MAX_UNOBSERVED_MS = 60_000;
/** A jump ahead is believed after so long: most often the machine was suspended. */
const ACCEPTED_AFTER_MS = 60_000;

/** One that is not believed (yet). */
interface ClockStep {
  readonly ms: number;
  /** When it was noticed, by the monotonic clock. */
  readonly noticedAt: number;
  /** The earliest that the wall clock can have said after it. */
  readonly earliestWallMs: number;
}

/**
 * Watches the wall clock against the monotonic one. While they disagree, nobody here knows which is right. A jump
 * ahead is believed in the end, because it refuses only; one back never is, because it would bring expired tokens
 * back to life. What was issued since then shows that its issuer's clock agrees with the wall clock.
 */
export class ClockMonitor {
  readonly #onStep: (stepMs: number) => void;
  /** Wall minus monotonic, as it was when both agreed. */
  #offset: number;
  #step: ClockStep | null = null;
  /** When both agreed last, by the monotonic one; noted every 100 ms at most. */
  #agreedAt: number;

  constructor(clock: Clock, onStep: (stepMs: number) => void) {
    const { wall, monotonic } = readClock(clock);
    this.#offset = wall - monotonic;
    this.#agreedAt = monotonic;
    this.#onStep = onStep;
  }

  /** How far the wall clock is ahead of where it should be (negative: behind); 0 unless it jumped. */
  steppedMs({ wall, monotonic }: Instant): number {
    const step = wall - monotonic - this.#offset;
    if (step > -DRIFT_MS && step < DRIFT_MS) {
      // Not at each of a million calls a second.
      if (monotonic - this.#agreedAt >= DRIFT_MS) this.#agreedAt = monotonic;
      this.#step = null;
      return 0;
    }
    if (step <= -STEP_MS || step >= STEP_MS) {
      // Another jump than the one that is known has its own time to wait.
      if (this.#step === null || Math.abs(step - this.#step.ms) >= STEP_MS) {
        const to = wall - Math.min(monotonic - this.#agreedAt, MAX_UNOBSERVED_MS);
        this.#step = { ms: step, noticedAt: monotonic, earliestWallMs: to };
        this.#onStep(step);
      }
      if (step < 0 || monotonic - this.#step.noticedAt < ACCEPTED_AFTER_MS) return step;
    }
    this.#offset += step;
    this.#step = null;
    return 0;
  }

  /** The wall clock, unless it is ahead: then where it should be. Makes nothing be over too early. */
  earliestNowMs(now: Instant): number {
    return now.wall - Math.max(0, this.steppedMs(now));
  }

  /** Whether somebody whose clock agrees with the wall clock issued it after the jump. `iat` in epoch seconds. */
  isIssuedAfterStep(iat: number | undefined): boolean {
    return iat !== undefined && this.#step !== null && iat * 1000 >= this.#step.earliestWallMs;
  }

  /** Until a jump ahead is believed. */
  acceptedInMs({ monotonic }: Instant): number {
    return this.#step === null ? 0 : Math.max(0, this.#step.noticedAt + ACCEPTED_AFTER_MS - monotonic);
  }
}
