import { HoldfastError } from "../core/errors.ts";

/** How many tasks may run at once, and how many more may wait. */
export interface BulkheadLimits {
  readonly running: number;
  readonly waiting: number;
}

/** Bounds concurrent tasks. The queue of waiting tasks is first in, first out. A task beyond both limits is rejected. */
export class Bulkhead {
  readonly #name: string;
  readonly #limits: BulkheadLimits;
  readonly #queue: (() => void)[] = [];
  #running = 0;

  /** `name` completes the error message "too many are waiting for …". */
  constructor(name: string, limits: BulkheadLimits) {
    this.#name = name;
    this.#limits = limits;
  }

  /** Tasks that run or wait. */
  get size(): number {
    return this.#running + this.#queue.length;
  }

  get isFull(): boolean {
    return this.size >= this.#limits.running + this.#limits.waiting;
  }

  /** Runs `task` as soon as the limit allows it. Rejects with `overloaded` at once when the queue is full. */
  async run<T>(task: () => Promise<T>): Promise<T> {
    if (this.isFull) {
      throw new HoldfastError("overloaded", `too many are waiting for ${this.#name}`, { retryAfterMs: 1000 });
    }
    if (this.#running < this.#limits.running) this.#running++;
    else await new Promise<void>((start) => this.#queue.push(start));
    try {
      return await task();
    } finally {
      // The next task takes over the place, so the count stays.
      const startNext = this.#queue.shift();
      if (startNext === undefined) this.#running--;
      else startNext();
    }
  }
}
