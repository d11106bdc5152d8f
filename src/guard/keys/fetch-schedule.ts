import { readClock, type Clock, type Instant } from "../../core/clock.ts";
import { backoffMs } from "../../resilience/backoff.ts";
import { remainingMs, type Countdown } from "../../resilience/countdown.ts";
import { SingleFlight } from "../../resilience/single-flight.ts";

/** The fetch that is scheduled. */
export interface FetchTask {
  /**
   * Makes one attempt and rejects when it fails. `number` counts the attempts from 1. The result must be dropped once
   * `signal` has aborted. `isAwaited` tells whether a caller waits for the attempt.
   */
  run(signal: AbortSignal, number: number, isAwaited: boolean): Promise<void>;
  onFailure(error: unknown): void;
  /** How long to wait after an attempt. `failures` counts the failures in a row; 0 after a success. */
  pauseMs(failures: number): number;
  /** How long the last result stays fresh. */
  freshForMs(): number;
  /** Whether the next background attempt is worth making. Without it, the next caller begins an attempt. */
  isNeeded(): boolean;
}

/** Least time between two attempts that `restart` begins without waiting for the pause. */
const MIN_RESTART_MS = 1_000;

/** The pause after the first failure of a keyring without a usable set, and the least one that a client is told. */
export const FIRST_RETRY_MS = 1_000;

/** Runs one attempt at a time, which all callers join, and pauses after each attempt, however many callers there are. */
export class FetchSchedule {
  readonly #clock: Clock;
  readonly #task: FetchTask;
  readonly #running = new SingleFlight<AbortController, void>();
  /** Aborts the running attempt. `restart` replaces it; after `close` it stays aborted. */
  #generation = new AbortController();
  #startedCount = 0;
  #failures = 0;
  #pause: Countdown | null = null;
  /** The generation of the last attempt. */
  #lastGeneration = this.#generation;
  /** When the first attempt after a restart began. `null` before the first restart. */
  #restartedAt: Instant | null = null;
  #isBackground = false;
  #cancelTimer = (): void => {};

  constructor(clock: Clock, task: FetchTask) {
    this.#clock = clock;
    this.#task = task;
  }

  get startedCount(): number {
    return this.#startedCount;
  }

  /** Whether the last attempt failed. */
  get isFailing(): boolean {
    return this.#failures > 0;
  }

  cooldownLeftMs(): number {
    return remainingMs(this.#clock, this.#pause);
  }

  /** Whether an attempt is under way, which the next caller joins. */
  get isRunning(): boolean {
    return this.#running.inFlight(this.#generation) !== undefined;
  }

  /**
   * Joins the running attempt, or begins one unless the pause is still on. Never rejects. `isAwaited` tells whether a
   * caller waits for it, as for a key that its token needs.
   */
  async attempt(isAwaited: boolean = false): Promise<void> {
    const generation = this.#generation;
    if (generation.signal.aborted) return;
    if (this.#running.inFlight(generation) === undefined && this.cooldownLeftMs() > 0) return;
    await this.#running.run(generation, async () => await this.#runOnce(generation, isAwaited));
  }

  /** Ends the pause at most `ms` from now. */
  shortenPause(ms: number): void {
    if (this.cooldownLeftMs() <= ms) return;
    this.#pause = { since: readClock(this.#clock), ms };
    this.scheduleNext();
  }

  /** From now on every attempt schedules the next one, even when no caller needs it. */
  enableBackground(): void {
    this.#isBackground = true;
  }

  /** Schedules the next background attempt for when the pause is over and the last result is no longer fresh. */
  scheduleNext(): void {
    this.#cancelTimer();
    if (!this.#isBackground || this.#generation.signal.aborted) return;
    // Checked again when the timer fires: a caller may have begun an attempt, and a timer may fire early.
    const waitMs = () => Math.max(this.cooldownLeftMs(), this.#task.freshForMs());
    this.#cancelTimer = this.#clock.after(waitMs(), () => {
      if (waitMs() > 0) this.scheduleNext();
      else if (this.#task.isNeeded()) void this.attempt();
    });
  }

  /** Aborts the running attempt and begins another, at once or one second after the previous restart. */
  restart(): void {
    if (this.#generation.signal.aborted) return;
    this.#generation.abort();
    this.#generation = new AbortController();
    this.#failures = 0;
    const since = this.#restartedAt;
    this.#pause = since === null ? null : { since, ms: MIN_RESTART_MS };
    if (this.cooldownLeftMs() > 0) this.scheduleNext();
    else void this.attempt();
  }

  /** Aborts the running attempt, so that its callers stop waiting. No other attempt follows. */
  close(): void {
    this.#generation.abort();
    this.#cancelTimer();
  }

  async #runOnce(generation: AbortController, isAwaited: boolean): Promise<void> {
    const { signal } = generation;
    const number = ++this.#startedCount;
    if (generation !== this.#lastGeneration) {
      this.#lastGeneration = generation;
      this.#restartedAt = readClock(this.#clock);
    }
    try {
      await this.#task.run(signal, number, isAwaited);
      if (signal.aborted) return;
      this.#failures = 0;
    } catch (error) {
      if (signal.aborted) return;
      this.#failures++;
      this.#task.onFailure(error);
    }
    this.#pause = { since: readClock(this.#clock), ms: this.#task.pauseMs(this.#failures) };
    this.scheduleNext();
  }
}

/** The state of a keyring that decides how long its next attempt waits. */
export interface PauseConditions {
  readonly coolDownMs: number;
  /** Whether the keyring has no usable set, or a token waits for an unknown key. */
  readonly isUrgent: boolean;
  /** The time for which the server asked for no requests, else 0. */
  readonly askedPauseMs: number;
  readonly random: () => number;
}

/**
 * The pause after an attempt. With a usable set, failing attempts are at least `coolDownMs` apart. They begin sooner
 * while they are urgent.
 */
export function pauseAfterAttempt(failures: number, conditions: PauseConditions): number {
  const { coolDownMs, isUrgent, askedPauseMs, random } = conditions;
  if (failures === 0) return coolDownMs;
  if (isUrgent) {
    const pauseMs = backoffMs(failures, { firstMs: FIRST_RETRY_MS, maxMs: coolDownMs, random });
    return Math.max(pauseMs, askedPauseMs);
  }
  const pauseMs = backoffMs(failures, { firstMs: coolDownMs, maxMs: 4 * coolDownMs, random });
  return Math.max(coolDownMs, pauseMs, askedPauseMs);
}
