import { isHoldfastError } from "../../core/errors.ts";
import { FairBulkhead, type FairPlace } from "../../resilience/fair-bulkhead.ts";
import type { EventRecorder } from "../issuer-base.ts";

/**
 * Bounds the calls of `authenticate` that run at once, so that a flood of logins cannot take everything from a slow
 * directory or database. The networks of the clients take turns. A call frees its place within its deadline, and no more
 * calls wait than run, so a login waits for a place no longer than one deadline.
 */
export class AuthenticateCalls {
  readonly #emit: EventRecorder["emit"];
  readonly #max: number;
  readonly #places: FairBulkhead;
  #refused = 0;

  constructor({ emit }: Pick<EventRecorder, "emit">, max: number) {
    this.#emit = emit;
    this.#max = max;
    this.#places = new FairBulkhead("authenticate", { running: max, waiting: max });
  }

  /** Calls that run now. */
  get runningCount(): number {
    return this.#places.runningCount;
  }

  /** Logins that wait for a place. */
  get waitingCount(): number {
    return this.#places.waitingCount;
  }

  /** Logins that got no place. */
  get refusedCount(): number {
    return this.#refused;
  }

  /** Rejects with `overloaded` when there is no place, and with the reason of `signal` when it aborts before the call. */
  async run<T>(place: FairPlace, call: () => Promise<T>, signal: AbortSignal | undefined): Promise<T> {
    let isCalled = false;
    const start = async () => {
      isCalled = true;
      return await call();
    };
    try {
      return await this.#places.run(place, start, signal);
    } catch (error) {
      if (!isCalled && isHoldfastError(error, "overloaded")) {
        this.#refused++;
        this.#emit("authenticate_failed", `${this.#max} calls run, and as many logins wait: a login is 503`);
      }
      throw error;
    }
  }
}
