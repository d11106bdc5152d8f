import { HoldfastError } from "../core/errors.ts";
import type { BulkheadLimits } from "./bulkhead.ts";

/** `known` tasks come from callers that proved something. Anyone can cause any number of `unknown` tasks. */
export type Lane = "known" | "unknown";

export interface TwoLaneLimits extends BulkheadLimits {
  /** How many of the running tasks are kept for the lane `known`. */
  readonly reserved: number;
}

/**
 * Bounds concurrent tasks in two lanes, so that a flood of unknown tasks does not delay or displace the known ones.
 * A waiting known task starts before every unknown one, and each lane has its own queue of `waiting` places.
 */
export class TwoLaneBulkhead {
  readonly #name: string;
  readonly #limits: TwoLaneLimits;
  readonly #queues: Readonly<Record<Lane, (() => void)[]>> = { known: [], unknown: [] };
  #running = 0;
  #runningUnknown = 0;

  /** `name` completes the error message "too many are waiting for …". */
  constructor(name: string, limits: TwoLaneLimits) {
    this.#name = name;
    this.#limits = limits;
  }

  /** Whether a further task of this lane would be rejected. */
  isFull(lane: Lane): boolean {
    return !this.#mayStart(lane) && this.#queues[lane].length >= this.#limits.waiting;
  }

  /** Runs `task` as soon as the limits allow it. Rejects with `overloaded` at once when the lane is full. */
  async run<T>(lane: Lane, task: () => Promise<T>): Promise<T> {
    if (this.isFull(lane)) {
      throw new HoldfastError("overloaded", `too many are waiting for ${this.#name}`, { retryAfterMs: 1000 });
    }
    if (this.#mayStart(lane)) this.#occupy(lane);
    else await new Promise<void>((start) => this.#queues[lane].push(start));
    try {
      return await task();
    } finally {
      this.#running--;
      if (lane === "unknown") this.#runningUnknown--;
      this.#startWaiting();
    }
  }

  #mayStart(lane: Lane): boolean {
    const { running, reserved } = this.#limits;
    return this.#running < running && (lane === "known" || this.#runningUnknown < running - reserved);
  }

  #occupy(lane: Lane): void {
    this.#running++;
    if (lane === "unknown") this.#runningUnknown++;
  }

  #startWaiting(): void {
    for (const lane of ["known", "unknown"] as const) {
      while (this.#queues[lane].length > 0 && this.#mayStart(lane)) {
        this.#occupy(lane);
        this.#queues[lane].shift()?.();
      }
    }
  }
}
