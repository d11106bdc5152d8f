import { elapsedMs, readClock, type Clock, type Instant } from "../core/clock.ts";

const REPEAT_MS = 60_000;

/** The topics of the last minute, at most `max` of them. */
export class RecentTopics {
  readonly #clock: Clock;
  readonly #max: number;
  /** When each topic was added. The oldest one comes first. */
  readonly #addedAt = new Map<string, Instant>();

  constructor(clock: Clock, max: number) {
    this.#clock = clock;
    this.#max = max;
  }

  /** Adds the topic unless it was added within a minute, or the topics of the last minute are too many. */
  add(topic: string): "added" | "repeated" | "full" {
    for (const [oldest, at] of this.#addedAt) {
      if (elapsedMs(this.#clock, at) < REPEAT_MS) break;
      this.#addedAt.delete(oldest);
    }
    if (this.#addedAt.has(topic)) return "repeated";
    if (this.#addedAt.size >= this.#max) return "full";
    this.#addedAt.set(topic, readClock(this.#clock));
    return "added";
  }
}
