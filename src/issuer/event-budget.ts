import type { Clock } from "../core/clock.ts";

/** Events of one kind that may come at once. */
const BURST = 300;
/** After such a burst, one event of the kind in this time: at most 14,400 a day. */
const INTERVAL_MS = 6000;

interface Spending {
  /** The monotonic time at which the whole burst is available again. */
  clearAt: number;
  leftOut: number;
}

/** Bounds how often an event is recorded that a client can cause without valid credentials (law 6). */
export class EventBudget {
  readonly #clock: Pick<Clock, "monotonic">;
  readonly #spending = new Map<string, Spending>();

  constructor(clock: Pick<Clock, "monotonic">) {
    this.#clock = clock;
  }

  /**
   * Counts one event of this kind. Returns how many were left out since the last one that was recorded. `null` when the
   * event must be left out.
   */
  take(kind: string): number | null {
    const now = this.#clock.monotonic();
    const spending = this.#spending.get(kind) ?? { clearAt: 0, leftOut: 0 };
    this.#spending.set(kind, spending);
    const clearAt = Math.max(spending.clearAt, now) + INTERVAL_MS;
    if (clearAt - now > BURST * INTERVAL_MS) {
      spending.leftOut++;
      return null;
    }
    const { leftOut } = spending;
    spending.clearAt = clearAt;
    spending.leftOut = 0;
    return leftOut;
  }
}
