import { elapsedMs, readClock, type Clock, type Instant } from "../../core/clock.ts";

/** How long an acknowledged write can still be lost in a failover. A replica takes over within this time. */
export const RESTORE_WINDOW_MS: number = 10 * 60_000;
const MAX_REMEMBERED = 10_000;

/** Writes that this process has acknowledged and that a failover may lose, each under a key, oldest first. */
export class AcknowledgedWrites<T> {
  readonly #clock: Clock;
  readonly #writes = new Map<string, { readonly write: T; readonly at: Instant }>();
  /** When the latest write that had to make room was acknowledged. */
  #droppedAt: Instant | null = null;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Remembers the write in place of an earlier one with the same key. */
  add(key: string, write: T): void {
    this.#writes.delete(key);
    this.#writes.set(key, { write, at: readClock(this.#clock) });
    if (this.#writes.size <= MAX_REMEMBERED) return;
    for (const [oldest, { at }] of this.#writes) {
      this.#writes.delete(oldest);
      this.#droppedAt = at;
      break;
    }
  }

  /** Forgets `write`, unless a later write has its key. */
  forget(key: string, write: T): void {
    if (this.#writes.get(key)?.write === write) this.#writes.delete(key);
  }

  /**
   * Whether the write of this key was acknowledged and can still be lost. Returns `true` for every key as long as a write
   * that had to make room can be lost, because its key is unknown.
   */
  mayHave(key: string): boolean {
    const at = this.#writes.get(key)?.at ?? this.#droppedAt;
    return at !== null && elapsedMs(this.#clock, at) < RESTORE_WINDOW_MS;
  }

  /** Returns the writes that can still be lost. */
  recent(): [key: string, write: T][] {
    for (const [key, { at }] of this.#writes) {
      if (elapsedMs(this.#clock, at) >= RESTORE_WINDOW_MS) this.#writes.delete(key);
    }
    return Array.from(this.#writes, ([key, { write }]) => [key, write]);
  }
}
