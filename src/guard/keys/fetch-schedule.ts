import { elapsedMs, readClock, type Clock, type Instant } from "../../core/clock.ts";
import { SingleFlight } from "../../resilience/single-flight.ts";

/** What is attempted. */
export interface FetchTask {
  /** `number` counts from 1. Nothing may come of it once `signal` has aborted. Rejects when it failed. */
  run(signal: AbortSignal, number: number): Promise<void>;
  onFailure(error: unknown): void;
  /** How long none may be made after this one; `failures` in a row, 0 after a success. */
  pauseMs(failures: number): number;
  /** How long none is needed. */
  freshForMs(): number;
}

/** Least time between two attempts that do not wait for the pause to end. */
const MIN_RESTART_MS = 1_000;

/** One attempt at a time, joined by whoever asks meanwhile, and a pause after each, however many ask. */
export class FetchSchedule {
  readonly #clock: Clock;
  readonly #task: FetchTask;
  readonly #running = new SingleFlight<AbortController, void>();
  /** Ends what is under way. Aborted for good when closed. */
  #generation = new AbortController();
  #startedCount = 0;
  #failures = 0;
  #pause: { readonly since: Instant; readonly ms: number } | null = null;
  /** The latest that made an attempt, and when, unless it is the first. */
  #lastGeneration = this.#generation;
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

  /** Whether the last one failed. */
  get isFailing(): boolean {
    return this.#failures > 0;
  }

  cooldownLeftMs(): number {
    return this.#pause === null ? 0 : Math.max(0, this.#pause.ms - elapsedMs(this.#clock, this.#pause.since));
  }

  /** Joins the attempt under way, or makes one unless it is too early. Never rejects. */
  async attempt(): Promise<void> {
    const generation = this.#generation;
    if (generation.signal.aborted) return;
    if (this.#running.inFlight(generation) === undefined && this.cooldownLeftMs() > 0) return;
    await this.#running.run(generation, async () => await this.#runOnce(generation));
  }

  /** From the first on, the next are also made when nobody asks, as soon as they are needed. */
  enableBackground(): void {
    this.#isBackground = true;
  }

  /** Makes one in time, if none has to be asked for. */
  scheduleNext(): void {
    this.#cancelTimer();
    if (!this.#isBackground || this.#generation.signal.aborted) return;
    // A call may have made one since, and a timer may be early.
    const waitMs = () => Math.max(this.cooldownLeftMs(), this.#task.freshForMs());
    this.#cancelTimer = this.#clock.after(waitMs(), () => {
      if (waitMs() > 0) this.scheduleNext();
      else void this.attempt();
    });
  }

  /** Gives up the one under way. Another is made at once, or a second after the last that was made so. */
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

  /** Whoever waits goes on. */
  close(): void {
    this.#generation.abort();
    this.#cancelTimer();
  }

  async #runOnce(generation: AbortController): Promise<void> {
    const { signal } = generation;
    const number = ++this.#startedCount;
    if (generation !== this.#lastGeneration) {
      this.#lastGeneration = generation;
      this.#restartedAt = readClock(this.#clock);
    }
    try {
      await this.#task.run(signal, number);
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
