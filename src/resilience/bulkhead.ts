import { HoldfastError } from "../core/errors.ts";

/** Runs at most `running` pieces of work at once and lets `waiting` more stand in line; the excess is refused. */
export class Bulkhead {
  readonly #name: string;
  readonly #limits: { running: number; waiting: number };
  readonly #queue: (() => void)[] = [];
  #running = 0;

  constructor(what: string, limits: { running: number; waiting: number }) {
    this.#name = what;
    this.#limits = limits;
  }

  /** Rejects with `overloaded` at once when the line is full. */
  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#running >= this.#limits.running) {
      if (this.#queue.length >= this.#limits.waiting) {
        throw new HoldfastError("overloaded", `too many are waiting for ${this.#name}`, {
          retryAfterMs: 1000,
        });
      }
      await new Promise<void>((go) => this.#queue.push(go));
    } else {
      this.#running++;
    }
    try {
      return await work();
    } finally {
      const next = this.#queue.shift();
      if (next === undefined) this.#running--;
      else next();
    }
  }
}
