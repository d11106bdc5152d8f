import { elapsedMs, elapsedMsBetween, readClock, type Instant } from "../core/clock.ts";
import type { ConnectionsSettings } from "./settings.ts";

/** The time until the first token must be here, and after that until the authority is asked again. */
export class DueTime {
  readonly #settings: ConnectionsSettings;
  #from: Instant;
  #afterMs: number;

  /** The first token is due after `firstTokenMs`. */
  constructor(settings: ConnectionsSettings) {
    this.#settings = settings;
    this.#from = readClock(settings.clock);
    this.#afterMs = settings.firstTokenMs;
  }

  isOver(): boolean {
    return elapsedMs(this.#settings.clock, this.#from) >= this.#afterMs;
  }

  isOverAt(now: Instant): boolean {
    return elapsedMsBetween(this.#from, now) >= this.#afterMs;
  }

  /** Nothing is due while the authority is asked. */
  suspend(): void {
    this.#afterMs = Infinity;
  }

  /** Plans the next question to the authority, with jitter so that connections do not ask at the same time. */
  planRecheck(isSoon: boolean): void {
    const { clock, random, recheckMs, recheckDegradedMs } = this.#settings;
    this.#afterMs = (isSoon ? recheckDegradedMs : recheckMs) * (0.75 + random() / 2);
    this.#from = readClock(clock);
  }
}
