import type { Clock } from "../../core/clock.ts";

/** A store that fails in between counts as failing. Otherwise it could fill the log with its recoveries. */
const MIN_WELL_AFTER_MS = 3_000;
/**
 * A store may fail only now and then, for example for one slot of a Redis cluster that a periodic check meets. A failure
 * this soon after the last one belongs to the same trouble.
 */
const MAX_WELL_AFTER_MS = 5 * 60_000;
/** After so many recoveries in a row that did not last, the store fails now and then. */
const MIN_RELAPSES = 2;

interface OutageListener {
  /** The store answered before, and does not answer now. */
  readonly onFailure: (message: string) => void;
  /** The store answers again. `failedMs` lie between its first and its latest failure, and `answeredMs` after the latest. */
  readonly onRestored: (failedMs: number, answeredMs: number) => void;
}

/** Tells the operator once that a store fails, and once that it answers again. */
export class StoreOutage {
  readonly #clock: Clock;
  readonly #listener: OutageListener;
  /** The outage that was announced. `since` is a monotonic time. `null` while the store answers. */
  #failing: { readonly since: number; isWriteNeeded: boolean } | null = null;
  /** The monotonic time of the latest failure, which may be of an earlier outage. */
  #latestFailure = Number.NEGATIVE_INFINITY;
  /** How many recoveries in a row did not last. */
  #relapses = 0;
  /** How long the store must not have failed before it counts as restored. */
  #wellAfterMs = MIN_WELL_AFTER_MS;

  constructor(clock: Clock, listener: OutageListener) {
    this.#clock = clock;
    this.#listener = listener;
  }

  recordFailure(access: "read" | "write", message: string): void {
    const now = this.#clock.monotonic();
    const sinceLatestMs = now - this.#latestFailure;
    this.#latestFailure = now;
    if (this.#failing !== null) {
      if (access === "write") this.#failing.isWriteNeeded = true;
      return;
    }
    this.#relapses = sinceLatestMs < MAX_WELL_AFTER_MS ? this.#relapses + 1 : 0;
    // A second outage is news. From the third one, a recovery needs twice the pause that looked like the last one.
    this.#wellAfterMs =
      this.#relapses >= MIN_RELAPSES ? Math.min(2 * sinceLatestMs, MAX_WELL_AFTER_MS) : MIN_WELL_AFTER_MS;
    this.#failing = { since: now, isWriteNeeded: access === "write" };
    this.#listener.onFailure(message);
  }

  /** After a failed write, only a write proves that the store works again. */
  recordSuccess(access: "read" | "write"): void {
    if (this.#failing === null) return;
    const { since, isWriteNeeded } = this.#failing;
    const now = this.#clock.monotonic();
    if ((isWriteNeeded && access === "read") || now - this.#latestFailure < this.#wellAfterMs) return;
    this.#failing = null;
    this.#listener.onRestored(this.#latestFailure - since, now - this.#latestFailure);
  }
}
