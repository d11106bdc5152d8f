import type { ConnectionsSettings } from "./settings.ts";

interface SilentTransport {
  readonly cancel: () => void;
  readonly close: () => void;
}

/**
 * The transports on which no client has asked for a connection yet. Each has `firstTokenMs`, and `maxPending` may wait.
 * At the limit, the one that has waited longest makes room.
 */
export class SilentTransports {
  readonly #settings: Pick<ConnectionsSettings, "clock" | "maxPending" | "firstTokenMs">;
  /** Oldest first. */
  readonly #waiting = new Set<SilentTransport>();
  readonly #onLimited: () => void;

  constructor(settings: ConnectionsSettings, onLimited: () => void) {
    this.#settings = settings;
    this.#onLimited = onLimited;
  }

  get size(): number {
    return this.#waiting.size;
  }

  /** The returned function ends the wait, because the client has asked for a connection or has gone. */
  add(close: () => void): () => void {
    const { clock, maxPending, firstTokenMs } = this.#settings;
    const transport: SilentTransport = {
      close,
      cancel: clock.after(firstTokenMs, () => this.#end(transport)),
    };
    this.#waiting.add(transport);
    if (this.size > maxPending) {
      this.#onLimited();
      const [oldest = transport] = this.#waiting;
      this.#end(oldest);
    }
    return () => this.#forget(transport);
  }

  /** Closes every transport that waits. */
  closeAll(): void {
    for (const transport of this.#waiting) this.#end(transport);
  }

  #end(transport: SilentTransport): void {
    this.#forget(transport);
    try {
      transport.close();
    } catch {
      // The library of the socket failed at a socket that is of no more use.
    }
  }

  #forget(transport: SilentTransport): void {
    transport.cancel();
    this.#waiting.delete(transport);
  }
}
