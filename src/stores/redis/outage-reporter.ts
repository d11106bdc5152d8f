import { storeEvents } from "../../core/event-channels.ts";
import type { HoldfastError } from "../../core/errors.ts";
import { isNewerSession } from "./errors.ts";

/** The most messages of one outage. */
const MAX_MESSAGES = 10;

/** Publishes that a store does not answer, once for each reason, that it answers again, and that it has a newer format. */
export class OutageReporter {
  readonly #place: string;
  readonly #told = new Set<string>();
  #isNewerTold = false;

  constructor(place: string) {
    this.#place = place;
  }

  failed(error: unknown): void {
    const message = error instanceof Error ? error.message : "failed";
    if (this.#told.has(message) || this.#told.size >= MAX_MESSAGES) return;
    this.#told.add(message);
    if (storeEvents.hasSubscribers)
      storeEvents.publish({ store: this.#place, event: "connection_failed", message });
  }

  /** Tells once that a newer version has raised the format. A single session in a newer form does not show that. */
  newer(error: HoldfastError): void {
    if (this.#isNewerTold || isNewerSession(error)) return;
    this.#isNewerTold = true;
    if (storeEvents.hasSubscribers)
      storeEvents.publish({
        store: this.#place,
        event: "store_newer",
        message: `${error.message}; nothing is written`,
      });
  }

  recovered(): void {
    if (this.#told.size === 0) return;
    this.#told.clear();
    if (!storeEvents.hasSubscribers) return;
    storeEvents.publish({
      store: this.#place,
      event: "connection_restored",
      message: `${this.#place} answers again`,
    });
  }
}
