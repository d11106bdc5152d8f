import type { FakeClock } from "../../src/testing/fake-clock.ts";

interface QueuedEvent {
  readonly at: number;
  readonly run: () => Promise<void> | void;
}

/** Events of a simulation in the order of their time. The fake clock moves from one event to the next. */
export class EventQueue {
  readonly #clock: FakeClock;
  /** The next event is the last one. */
  readonly #events: QueuedEvent[] = [];

  constructor(clock: FakeClock) {
    this.#clock = clock;
  }

  after(ms: number, run: QueuedEvent["run"]): void {
    const at = this.#clock.now() + Math.round(ms);
    let low = 0;
    let high = this.#events.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#events[middle]?.at ?? 0) > at) low = middle + 1;
      else high = middle;
    }
    this.#events.splice(low, 0, { at, run });
  }

  /** Runs events until none is left or `isDone` returns `true`. */
  async run(isDone: () => boolean): Promise<void> {
    for (let next = this.#events.pop(); next !== undefined && !isDone(); next = this.#events.pop()) {
      const ms = next.at - this.#clock.now();
      if (ms > 0) await this.#clock.advance(ms);
      await next.run();
    }
  }
}
