import type { Clock } from "../../core/clock.ts";

/** A store that fails in between counts as failing. Otherwise it could fill the log with its recoveries. */
const WELL_AFTER_MS = 3_000;

interface OutageListener {
  /** The store answered before, and does not answer now. */
  readonly onFailure: (message: string) => void;
  /** The store answers again, `afterMs` after the first failure. */
  readonly onRestored: (afterMs: number) => void;
}

/** Tells the operator once that a store fails, and once that it answers again. */
export class StoreOutage {
  readonly #clock: Clock;
  readonly #listener: OutageListener;
  /** Monotonic times of the first and the latest failure. `null` while the store answers. */
  #failing: { readonly since: number; latest: number; isWriteNeeded: boolean } | null = null;

  constructor(clock: Clock, listener: OutageListener) {
    this.#clock = clock;
    this.#listener = listener;
  }

  recordFailure(access: "read" | "write", message: string): void {
    const now = this.#clock.monotonic();
    if (this.#failing === null) {
      this.#failing = { since: now, latest: now, isWriteNeeded: access === "write" };
      this.#listener.onFailure(message);
      return;
    }
    this.#failing.latest = now;
    if (access === "write") this.#failing.isWriteNeeded = true;
  }

  /** After a failed write, only a write proves that the store works again. */
  recordSuccess(access: "read" | "write"): void {
    if (this.#failing === null) return;
    const { since, latest, isWriteNeeded } = this.#failing;
    const now = this.#clock.monotonic();
    if ((isWriteNeeded && access === "read") || now - latest < WELL_AFTER_MS) return;
    this.#failing = null;
    this.#listener.onRestored(now - since);
  }
}
