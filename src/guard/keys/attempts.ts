import { elapsedMs, instant, type Clock, type Instant } from "../../core/clock.ts";
import { SingleFlight } from "../../resilience/single-flight.ts";

/** What is attempted. */
export interface Work {
  /** `number` counts from 1. Nothing may come of it once `signal` has aborted. Rejects when it failed. */
  attempt(signal: AbortSignal, number: number): Promise<void>;
  failed(error: unknown): void;
  /** How long none may be made after this one; `failures` in a row, 0 after a success. */
  pauseMs(failures: number): number;
  /** How long none is needed. */
  restMs(): number;
}

/** Least time between two attempts that do not wait for the pause to end. */
const MIN_RESTART_MS = 1_000;

/** One attempt at a time, joined by whoever asks meanwhile, and a pause after each, however many ask. */
export class Attempts {
  readonly #clock: Clock;
  readonly #work: Work;
  readonly #flights = new SingleFlight<AbortController, void>();
  /** Ends what is under way. Aborted for good when closed. */
  #era = new AbortController();
  #begun = 0;
  #failures = 0;
  #pause: { readonly since: Instant; readonly ms: number } | null = null;
  /** The latest that made an attempt, and when, unless it is the first. */
  #lastEra = this.#era;
  #restartedAt: Instant | null = null;
  #unasked = false;
  #cancelTimer = (): void => {};

  constructor(clock: Clock, work: Work) {
    this.#clock = clock;
    this.#work = work;
  }

  get begun(): number {
    return this.#begun;
  }

  /** Whether the last one failed. */
  get isFailing(): boolean {
    return this.#failures > 0;
  }

  coolingDownMs(): number {
    return this.#pause === null ? 0 : Math.max(0, this.#pause.ms - elapsedMs(this.#clock, this.#pause.since));
  }

  /** Joins the attempt under way, or makes one unless it is too early. Never rejects. */
  async make(): Promise<void> {
    const era = this.#era;
    if (era.signal.aborted) return;
    if (this.#flights.flying(era) === undefined && this.coolingDownMs() > 0) return;
    await this.#flights.run(era, async () => await this.#one(era));
  }

  /** From the first on, the next are also made when nobody asks, as soon as they are needed. */
  goOnUnasked(): void {
    this.#unasked = true;
  }

  /** Makes one in time, if none has to be asked for. */
  plan(): void {
    this.#cancelTimer();
    if (!this.#unasked || this.#era.signal.aborted) return;
    // A call may have made one since, and a timer may be early.
    const waitMs = () => Math.max(this.coolingDownMs(), this.#work.restMs());
    this.#cancelTimer = this.#clock.after(waitMs(), () => {
      if (waitMs() > 0) this.plan();
      else void this.make();
    });
  }

  /** Gives up the one under way. Another is made at once, or a second after the last that was made so. */
  restart(): void {
    if (this.#era.signal.aborted) return;
    this.#era.abort();
    this.#era = new AbortController();
    this.#failures = 0;
    const since = this.#restartedAt;
    this.#pause = since === null ? null : { since, ms: MIN_RESTART_MS };
    if (this.coolingDownMs() > 0) this.plan();
    else void this.make();
  }

  /** Whoever waits goes on. */
  close(): void {
    this.#era.abort();
    this.#cancelTimer();
  }

  async #one(era: AbortController): Promise<void> {
    const { signal } = era;
    const number = ++this.#begun;
    if (era !== this.#lastEra) {
      this.#lastEra = era;
      this.#restartedAt = instant(this.#clock);
    }
    try {
      await this.#work.attempt(signal, number);
      if (signal.aborted) return;
      this.#failures = 0;
    } catch (error) {
      if (signal.aborted) return;
      this.#failures++;
      this.#work.failed(error);
    }
    this.#pause = { since: instant(this.#clock), ms: this.#work.pauseMs(this.#failures) };
    this.plan();
  }
}
