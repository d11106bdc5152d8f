import type { Clock } from "../../core/clock.ts";
import { blockTolerantTimeout } from "../../resilience/deadline.ts";

/**
 * The time after which callers with a fallback stop waiting for one question. The time in the guard's own queue does not count.
 * Otherwise a burst of new tokens would make a healthy authority look slow.
 */
export class SoftTimeout {
  readonly #clock: Clock;
  readonly #limitMs: () => number;
  readonly #onEnded: (waitedMs: number) => void;
  readonly #startedAt: number;
  readonly #ended = Promise.withResolvers<null>();
  #isAwaited = false;
  /** When the question entered the queue, monotonic milliseconds. `null` outside of it. */
  #queuedAt: number | null = null;
  #queuedMs = 0;
  #stopTimer: () => void = () => {};

  /** `onEnded` is called at the timeout, when a caller waits for it. */
  constructor(clock: Clock, limitMs: () => number, onEnded: (waitedMs: number) => void) {
    this.#clock = clock;
    this.#limitMs = limitMs;
    this.#onEnded = onEnded;
    this.#startedAt = clock.monotonic();
  }

  /** Resolves at the timeout. All callers share one timer. */
  async ended(): Promise<null> {
    if (!this.#isAwaited) {
      this.#isAwaited = true;
      this.#startTimer();
    }
    return await this.#ended.promise;
  }

  /** The question waits for a free place. */
  pause(): void {
    this.#queuedAt ??= this.#clock.monotonic();
    this.#stopTimer();
  }

  /** The question left. */
  resume(): void {
    if (this.#queuedAt === null) return;
    this.#queuedMs += this.#clock.monotonic() - this.#queuedAt;
    this.#queuedAt = null;
    if (this.#isAwaited) this.#startTimer();
  }

  stop(): void {
    this.#stopTimer();
  }

  #startTimer(): void {
    if (this.#queuedAt !== null) return;
    const leftMs = Math.max(0, this.#limitMs() - this.#waitedMs());
    this.#stopTimer = blockTolerantTimeout(this.#clock, leftMs, () => {
      this.#onEnded(this.#waitedMs());
      this.#ended.resolve(null);
    });
  }

  #waitedMs(): number {
    return this.#clock.monotonic() - this.#startedAt - this.#queuedMs;
  }
}
