import { elapsedMs, readClock, type Clock } from "../../core/clock.ts";
import type { Store } from "../../stores/store.ts";

/** The largest accepted difference between the clocks of the machines that share one store. */
export const CLOCK_TOLERANCE_MS = 5_000;

interface StoreTimeBase {
  readonly store: Pick<Store, "now" | "description">;
  readonly clock: Clock;
  readonly emit: (event: "clock_differs", message: string) => void;
}

/**
 * Compares the clock of this process with that of the store, which every process on the store shares. Either may be
 * wrong, so each rule takes the one that does less harm.
 */
export class StoreTime {
  readonly #base: StoreTimeBase;
  #differenceMs = 0;

  constructor(base: StoreTimeBase) {
    this.#base = base;
  }

  /** How far the clock of this process is ahead of that of the store, in milliseconds. 0 for a tolerated difference. */
  get differenceMs(): number {
    return this.#differenceMs;
  }

  /** Rejects when the store cannot be read. The last difference then stays. */
  async compare(): Promise<void> {
    const { clock, store, emit } = this.#base;
    const before = readClock(clock);
    const storeNow = await store.now();
    const waitedMs = elapsedMs(clock, before);
    const exact = Math.round(clock.now() - waitedMs / 2 - storeNow);
    // The store read its clock at some moment of the wait.
    const isTolerated = Math.abs(exact) - waitedMs / 2 < CLOCK_TOLERANCE_MS;
    const isNews = !isTolerated && Math.abs(exact - this.#differenceMs) >= this.#newsMs();
    this.#differenceMs = isTolerated ? 0 : exact;
    if (isNews) emit("clock_differs", describeDifference(exact, store.description));
  }

  /** The first difference is news, and afterwards a change of more than a minute. */
  #newsMs(): number {
    return this.#differenceMs === 0 ? CLOCK_TOLERANCE_MS : 60_000;
  }

  /** The later of both times, epoch ms. Nothing that lasts until then ends too early. */
  latest(): number {
    return this.#base.clock.now() + Math.max(0, -this.#differenceMs);
  }

  /** The earlier of both times, epoch ms. Nothing that begins then begins too late. */
  earliest(): number {
    return this.#base.clock.now() - Math.max(0, this.#differenceMs);
  }
}

/** Says which clock is ahead of which, and by how much. */
export function describeDifference(differenceMs: number, store: string): string {
  const direction = differenceMs > 0 ? "ahead of" : "behind";
  const seconds = Math.round(Math.abs(differenceMs) / 1000);
  return `the clock of this machine is ${seconds} s ${direction} that of the store (${store})`;
}
