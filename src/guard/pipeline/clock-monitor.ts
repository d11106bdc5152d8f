import { readClock, type Clock, type Instant } from "../../core/clock.ts";

/** A difference of at least this is a clock step. A smaller one is drift, and the monitor follows it. */
const STEP_MS = 1_000;
/** Drift below this is not worth an update. */
const DRIFT_MS = 100;
/** An idle guard does not see when a step happened. The step is taken to be at most this old. */
const MAX_UNOBSERVED_MS = 60_000;
/** A step ahead is accepted after this long. Its usual cause is a machine that was suspended. */
const ACCEPTED_AFTER_MS = 60_000;

/** A clock step that is not accepted. */
interface ClockStep {
  /** Negative for a step back. */
  readonly ms: number;
  /** Monotonic time when the guard noticed the step. */
  readonly noticedAt: number;
  /** The earliest wall-clock time after the step, in epoch milliseconds. */
  readonly earliestWallMs: number;
  /** The latest time before the step, in epoch milliseconds. */
  readonly latestBeforeMs: number;
  /** The issuers with a token that shows that their clock did not go back. */
  readonly refutedBy: WeakSet<object>;
}

/**
 * Compares the wall clock with the monotonic clock. While they disagree, the guard cannot know which one is right.
 *
 * A step ahead is accepted after a minute, because a clock that is ahead can only refuse tokens. A step back is never
 * accepted, because it would revive expired tokens. A token that was issued after the step shows that the clock of its
 * issuer agrees with the wall clock. After a step back, a token from the future of the wall clock shows the opposite:
 * other tokens of this issuer may be old, although they look as if they were issued after the step.
 */
export class ClockMonitor {
  readonly #onStep: (stepMs: number) => void;
  /** Wall minus monotonic time while both agreed. */
  #offset: number;
  #step: ClockStep | null = null;
  /** The monotonic time when both agreed last, updated every 100 ms at most. */
  #agreedAt: number;

  constructor(clock: Clock, onStep: (stepMs: number) => void) {
    const { wall, monotonic } = readClock(clock);
    this.#offset = wall - monotonic;
    this.#agreedAt = monotonic;
    this.#onStep = onStep;
  }

  /** How far the wall clock is ahead of the expected time. Negative when it is behind, 0 while the clocks agree. */
  steppedMs({ wall, monotonic }: Instant): number {
    const step = wall - monotonic - this.#offset;
    if (step > -DRIFT_MS && step < DRIFT_MS) {
      // This runs on every hit, so it writes only every 100 ms.
      if (monotonic - this.#agreedAt >= DRIFT_MS) this.#agreedAt = monotonic;
      this.#step = null;
      return 0;
    }
    if (step <= -STEP_MS || step >= STEP_MS) {
      // A second step starts its own waiting time.
      if (this.#step === null || Math.abs(step - this.#step.ms) >= STEP_MS) {
        const earliestWallMs = wall - Math.min(monotonic - this.#agreedAt, MAX_UNOBSERVED_MS);
        const latestBeforeMs = wall - step;
        // A suspend in between does not bring the time back.
        const refutedBy = (step < 0 && this.#step?.refutedBy) || new WeakSet();
        this.#step = { ms: step, noticedAt: monotonic, earliestWallMs, latestBeforeMs, refutedBy };
        this.#onStep(step);
      }
      if (step < 0 || monotonic - this.#step.noticedAt < ACCEPTED_AFTER_MS) return step;
    }
    this.#offset += step;
    this.#step = null;
    return 0;
  }

  /** The wall-clock time without a step ahead. It makes nothing end too early. */
  earliestNowMs(now: Instant): number {
    return now.wall - Math.max(0, this.steppedMs(now));
  }

  /** Whether a token with this `iat` (epoch seconds) was issued after the current step. */
  isIssuedAfterStep(iat: number | undefined, issuer: object): boolean {
    const step = this.#step;
    return (
      iat !== undefined && step !== null && !step.refutedBy.has(issuer) && iat * 1000 >= step.earliestWallMs
    );
  }

  /**
   * Notes the `iat` (epoch seconds) of a verified token. It refutes a step back when it is later than both times at the
   * step. Only tokens of the same issuer are concerned, because the clock of one issuer may be wrong.
   */
  noteIssuedAt(iat: number | undefined, issuer: object, now: Instant, toleranceMs: number): void {
    if (this.#step === null || this.#step.ms > 0 || iat === undefined) return;
    const { latestBeforeMs } = this.#step;
    if (iat * 1000 > Math.max(latestBeforeMs, now.wall) + toleranceMs) this.#step.refutedBy.add(issuer);
  }

  /** Milliseconds until a step ahead is accepted. 0 without a step. */
  acceptedInMs({ monotonic }: Instant): number {
    return this.#step === null ? 0 : Math.max(0, this.#step.noticedAt + ACCEPTED_AFTER_MS - monotonic);
  }
}
