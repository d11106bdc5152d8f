import { sleep, type Clock } from "../../core/clock.ts";
import { storeEvents } from "../../core/event-channels.ts";

/** Applies acknowledged writes of one kind again where the store lacks them. */
export interface LostWriteSource {
  /** The name of the writes in an event, in the plural. */
  readonly what: string;
  /** Calls `onRestored` with each number of writes that the store lacked, as soon as they are applied. */
  readonly restoreOnce: (onRestored: (count: number) => void) => Promise<void>;
}

const RETRY_PAUSE_MS = 1000;

/** Applies acknowledged writes again after a failover that may have lost them, and publishes what was lost. */
export class LostWriteRecovery {
  readonly #place: string;
  readonly #clock: Clock;
  readonly #sources: readonly LostWriteSource[];
  /** `again` when another run was requested while one is under way. */
  #state: "idle" | "running" | "again" = "idle";
  #isClosed = false;

  /** `place` names the store in events. */
  constructor(place: string, clock: Clock, sources: readonly LostWriteSource[]) {
    this.#place = place;
    this.#clock = clock;
    this.#sources = sources;
  }

  /** Retries until every write is there. */
  async run(): Promise<void> {
    const isRunning = this.#state !== "idle";
    this.#state = "again";
    if (isRunning) return;
    const restored = new Map<string, number>();
    while (this.#state === "again" && !this.#isClosed) {
      this.#state = "running";
      try {
        for (const { what, restoreOnce } of this.#sources) {
          await restoreOnce((count) => restored.set(what, (restored.get(what) ?? 0) + count));
        }
        this.#publish(restored);
      } catch {
        this.#state = "again";
        await sleep(this.#clock, RETRY_PAUSE_MS);
      }
    }
    this.#state = "idle";
  }

  close(): void {
    this.#isClosed = true;
  }

  /** Publishes and forgets the counts. */
  #publish(restored: Map<string, number>): void {
    const counts = Array.from(restored).flatMap(([what, count]) =>
      count === 0 ? [] : [`${what}: ${count}`],
    );
    restored.clear();
    if (counts.length === 0 || !storeEvents.hasSubscribers) return;
    const message = `${this.#place} had lost acknowledged writes in a failover; applied again: ${counts.join(", ")}`;
    storeEvents.publish({ store: this.#place, event: "writes_restored", message });
  }
}
