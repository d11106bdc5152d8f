import type { Clock } from "../../core/clock.ts";
import { HoldfastError, isHoldfastError } from "../../core/errors.ts";
import { blockTolerantTimeout } from "../../resilience/deadline.ts";
import { FairBulkhead, type FairPlace } from "../../resilience/fair-bulkhead.ts";
import type { EventRecorder } from "../issuer-base.ts";

/** How long a call of the application may take. A login waits for its place at most as long. */
export const AUTHENTICATE_DEADLINE_MS = 10_000;

/** Calls the application, and returns its promise. The place stays taken until that promise settles. */
type Track = <T>(call: () => Promise<T>) => Promise<T>;

/**
 * Bounds the calls of `authenticate` that run at once, so that a flood of logins cannot take everything from a slow
 * directory or database. The networks of the clients take turns. A call that ignores its deadline keeps its place until
 * it settles, because it still burdens the directory. For each place, one login of a known client may wait and one of an
 * unknown client.
 */
export class AuthenticateCalls {
  readonly #emit: EventRecorder["emit"];
  readonly #clock: Clock;
  readonly #max: number;
  readonly #places: FairBulkhead;
  #overdue = 0;
  #refused = 0;

  constructor({ emit, clock }: Pick<EventRecorder, "emit"> & { readonly clock: Clock }, max: number) {
    this.#emit = emit;
    this.#clock = clock;
    this.#max = max;
    this.#places = new FairBulkhead("authenticate", { running: max, waiting: max });
  }

  /** Calls that run now, also after their deadline. */
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

  /**
   * Runs `work` when there is a place. Rejects with `overloaded` when there is none within the deadline, and with the
   * reason of `signal` when it aborts before that.
   */
  async run<T>(
    place: FairPlace,
    work: (track: Track) => Promise<T>,
    signal: AbortSignal | undefined,
  ): Promise<T> {
    const free = await this.#take(place, signal);
    let isSettled = true;
    let isAnswered = false;
    const settle = () => {
      isSettled = true;
      if (!isAnswered) return;
      this.#overdue--;
      free();
    };
    try {
      return await work(async (call) => {
        isSettled = false;
        const answer = call();
        void answer.then(settle, settle);
        return await answer;
      });
    } finally {
      isAnswered = true;
      if (isSettled) free();
      else this.#overdue++;
    }
  }

  async #take(place: FairPlace, signal: AbortSignal | undefined): Promise<() => void> {
    signal?.throwIfAborted();
    const waiting = new AbortController();
    const stop = () => waiting.abort(signal?.reason);
    signal?.addEventListener("abort", stop, { once: true });
    const cancel = blockTolerantTimeout(this.#clock, AUTHENTICATE_DEADLINE_MS, () => {
      const message = `no place for authenticate became free within ${AUTHENTICATE_DEADLINE_MS} ms`;
      waiting.abort(new HoldfastError("overloaded", message, { retryAfterMs: 1000 }));
    });
    try {
      return await this.#places.take(place, waiting.signal);
    } catch (error) {
      if (isHoldfastError(error, "overloaded")) {
        this.#refused++;
        const overdue = this.#overdue === 0 ? "" : `, ${this.#overdue} of them after their deadline`;
        this.#emit(
          "authenticate_failed",
          `${this.#max} calls run${overdue}, and this login got no place: it is 503`,
        );
      }
      throw error;
    } finally {
      cancel();
      signal?.removeEventListener("abort", stop);
    }
  }
}
