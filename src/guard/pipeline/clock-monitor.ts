import { readClock, type Clock, type Instant } from "../../core/clock.ts";
import type { ServerClock, ServerDate } from "../server-date.ts";

/** A difference of at least this is a clock step. A smaller one is drift, and the monitor follows it. */
const STEP_MS = 1_000;
/** Drift below this is not worth an update. */
const DRIFT_MS = 100;
/** A step ahead is accepted after this long. Its usual cause is a machine that was suspended. */
const ACCEPTED_AFTER_MS = 60_000;
/**
 * After a longer step back, the guard believes tokens that were issued this long after the new time. Until then, a token
 * of an issuer whose clock did not go back would have shown that the step is wrong.
 */
const MAX_REPEATED_MS = 300_000;
/** The monotonic clock gains or loses less than one millisecond in so many. */
const DRIFT_DIVISOR = 1_000;

/** A clock step that is not accepted. */
interface ClockStep {
  /** Negative for a step back. */
  readonly ms: number;
  /** How far the wall clock went ahead when it was behind already. 0 when it did not. */
  readonly partlyAheadMs: number;
  /** Monotonic time when the guard noticed the step. */
  readonly noticedAt: number;
  /** The latest time before the step, in epoch milliseconds. */
  readonly latestBeforeMs: number;
  /** The end of the time in which a token with that `iat` may be from before the step, in epoch milliseconds. */
  readonly repeatedUntilMs: number;
  /** The issuers with a token that shows that their clock did not go back. */
  readonly refutedBy: WeakSet<object>;
}

/** What the monitor asks about an issuer. */
interface IssuerWithClock {
  readonly serverClock: Pick<ServerClock, "last" | "lastAtOffset">;
}

/**
 * Compares the wall clock with the monotonic clock. While they disagree, the guard cannot know which one is right.
 *
 * A step ahead is accepted after a minute, because a clock that is ahead can only refuse tokens. A step back is never
 * accepted, because it would revive expired tokens. Only these tokens expire by the wall clock afterwards:
 *
 * - the tokens of an issuer whose responses agree with the wall clock and not with the time before, both since the step
 *   and already before it. A server whose clock went back as well agreed with the time before until then.
 * - the tokens that were issued after the time that the wall clock shows twice
 *
 * A token from the future of the wall clock shows that the clock of its issuer did not go back. Other tokens of this issuer
 * may then be old, although they look as if they were issued after the step.
 */
export class ClockMonitor {
  readonly #onStep: (stepMs: number) => void;
  readonly #toleranceMs: number;
  /** Wall minus monotonic time while both agreed. */
  #offset: number;
  #step: ClockStep | null = null;
  /** Monotonic time of the last step ahead. The monotonic clock tells nothing about the time before a suspend. */
  #suspendedAt = -Infinity;

  constructor(clock: Clock, toleranceMs: number, onStep: (stepMs: number) => void) {
    const { wall, monotonic } = readClock(clock);
    this.#offset = wall - monotonic;
    this.#toleranceMs = toleranceMs;
    this.#onStep = onStep;
  }

  /** How far the wall clock is ahead of the expected time. Negative when it is behind, 0 while the clocks agree. */
  steppedMs({ wall, monotonic }: Instant): number {
    const step = wall - monotonic - this.#offset;
    if (step > -DRIFT_MS && step < DRIFT_MS) {
      this.#step = null;
      return 0;
    }
    if (step <= -STEP_MS || step >= STEP_MS) {
      // A second step starts its own waiting time.
      if (this.#step === null || Math.abs(step - this.#step.ms) >= STEP_MS) {
        this.#noteStep(step, wall, monotonic);
        this.#onStep(step);
      }
      if (step < 0 || monotonic - (this.#step?.noticedAt ?? 0) < ACCEPTED_AFTER_MS) return step;
    }
    this.#offset += step;
    this.#step = null;
    return 0;
  }

  #noteStep(ms: number, wall: number, monotonic: number): void {
    const beforeMs = this.#step?.ms ?? 0;
    if (ms > beforeMs) this.#suspendedAt = monotonic;
    const latestBeforeMs = wall - ms;
    const repeatedUntilMs = Math.min(latestBeforeMs, wall + MAX_REPEATED_MS);
    // A suspend in between does not bring the time back.
    const refutedBy = (ms < 0 && this.#step?.refutedBy) || new WeakSet();
    const partlyAheadMs = ms < 0 ? Math.max(0, ms - beforeMs) : 0;
    this.#step = { ms, partlyAheadMs, noticedAt: monotonic, latestBeforeMs, repeatedUntilMs, refutedBy };
  }

  /**
   * How far the wall clock went ahead within the last minute, while it was behind the expected time. Without this step,
   * the wall clock may be right.
   */
  partlyAheadMs(now: Instant): number {
    return this.acceptedInMs(now) > 0 ? (this.#step?.partlyAheadMs ?? 0) : 0;
  }

  /** The wall-clock time without a step ahead. It makes nothing end too early. */
  earliestNowMs(now: Instant): number {
    return now.wall - Math.max(0, this.steppedMs(now));
  }

  /** Whether a token with this `iat` (epoch seconds) was certainly issued after the current step back. */
  isIssuedAfterStep(iat: number | undefined, issuer: IssuerWithClock, now: Instant): boolean {
    const step = this.#step;
    if (iat === undefined || step === null || step.refutedBy.has(issuer)) return false;
    const shown = this.#timeShownBy(issuer, step, now);
    if (shown !== null) return shown === "wall";
    return iat * 1000 > step.repeatedUntilMs + this.#toleranceMs;
  }

  /**
   * Which time the clock of the issuer shows: that of the wall clock, or the time before the step, which has continued.
   * `null` when its responses do not tell the two apart.
   */
  #timeShownBy({ serverClock }: IssuerWithClock, step: ClockStep, now: Instant): "wall" | "before" | null {
    const { last } = serverClock;
    const shown = this.#timeShownIn(last, step, now);
    // The clock of the issuer may have been set back together with that of this machine.
    if (shown === "before") return last !== null && last.sentAt > step.noticedAt ? shown : null;
    const shownBefore = this.#timeShownIn(serverClock.lastAtOffset(this.#offset), step, now);
    return shownBefore === "wall" ? shown : null;
  }

  /** Which of both times one response shows. `null` when it does not tell the two apart. */
  #timeShownIn(date: ServerDate | null, { ms }: ClockStep, now: Instant): "wall" | "before" | null {
    if (date === null || date.sentAt <= this.#suspendedAt) return null;
    const elapsedMs = now.monotonic - date.arrivedAt;
    const slackMs = this.#toleranceMs + elapsedMs / DRIFT_DIVISOR;
    const [earliestMs, latestMs] = [date.earliestMs + elapsedMs, date.latestMs + elapsedMs];
    const isShown = (wall: number) => wall >= earliestMs - slackMs && wall <= latestMs + slackMs;
    const [isWall, isBefore] = [isShown(now.wall), isShown(now.wall - ms)];
    if (isWall === isBefore) return null;
    return isWall ? "wall" : "before";
  }

  /**
   * Notes the `iat` (epoch seconds) of a verified token. It refutes a step back when it is later than both times at the
   * step. Only tokens of the same issuer are concerned, because the clock of one issuer may be wrong.
   */
  noteIssuedAt(iat: number | undefined, issuer: IssuerWithClock, now: Instant): void {
    if (this.#step === null || this.#step.ms > 0 || iat === undefined) return;
    const { latestBeforeMs } = this.#step;
    if (iat * 1000 > Math.max(latestBeforeMs, now.wall) + this.#toleranceMs) this.#step.refutedBy.add(issuer);
  }

  /** Milliseconds until a step ahead is accepted. 0 without a step. */
  acceptedInMs({ monotonic }: Instant): number {
    return this.#step === null ? 0 : Math.max(0, this.#step.noticedAt + ACCEPTED_AFTER_MS - monotonic);
  }
}
