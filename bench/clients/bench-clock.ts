import type { Clock } from "../../src/core/clock.ts";
import { systemClock } from "../../src/core/clock.ts";

/** The clock of the servers of one scenario. It runs with the system's clock, and a scenario can advance it. */
export class BenchClock implements Clock {
  #aheadMs = 0;

  now(): number {
    return Date.now() + this.#aheadMs;
  }

  monotonic(): number {
    return performance.now() + this.#aheadMs;
  }

  after(ms: number, fn: () => void): () => void {
    return systemClock.after(ms, fn);
  }

  advance(ms: number): void {
    this.#aheadMs += ms;
  }
}
