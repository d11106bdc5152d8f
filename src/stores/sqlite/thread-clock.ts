import type { Clock } from "../../core/clock.ts";
import type { Moment, ThreadResponse } from "./thread-protocol.ts";

/**
 * The application's clock, in the store's thread. Its time is that of the application's last message. Its timers run in
 * the application, from the moment that the thread knew when it set them. So the delay of the messages adds nothing.
 */
export class RemoteClock implements Clock {
  readonly #post: (message: Pick<ThreadResponse, "timer" | "cancelled">) => void;
  readonly #timers = new Map<number, () => void>();
  #moment: Moment;
  #nextTimer = 0;

  constructor(moment: Moment, post: (message: Pick<ThreadResponse, "timer" | "cancelled">) => void) {
    this.#moment = moment;
    this.#post = post;
  }

  now(): number {
    return this.#moment.wall;
  }

  monotonic(): number {
    return this.#moment.monotonic;
  }

  random(): number {
    return this.#moment.random;
  }

  after(ms: number, fn: () => void): () => void {
    const id = this.#nextTimer++;
    this.#timers.set(id, fn);
    this.#post({ timer: [id, this.#moment.monotonic, ms] });
    return () => {
      if (this.#timers.delete(id)) this.#post({ cancelled: id });
    };
  }

  /** Takes the time of a message. */
  advance(moment: Moment): void {
    this.#moment = moment;
  }

  /** Runs the timer unless it was cancelled. */
  fire(id: number): void {
    const fn = this.#timers.get(id);
    this.#timers.delete(id);
    fn?.();
  }
}
