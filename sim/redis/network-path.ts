import type { Clock } from "../../src/core/clock.ts";
import { later } from "../later.ts";

/** The network between clients and servers. Messages of one connection arrive in order. */
export class NetworkPath {
  readonly #clock: Clock;
  readonly #latencyMs: () => number;
  readonly #silent = new Set<string>();
  /** Messages to and from silent servers, which arrive when the network works again. */
  readonly #held = new Map<string, (() => void)[]>();

  /** `latencyMs` draws the time of one message. */
  constructor(clock: Clock, latencyMs: () => number) {
    this.#clock = clock;
    this.#latencyMs = latencyMs;
  }

  /** Holds back the messages to and from a server, and no side is told. */
  silence(server: string): void {
    this.#silent.add(server);
  }

  isSilent(server: string): boolean {
    return this.#silent.has(server);
  }

  /** Delivers what was held back, as TCP does when the network works again. */
  restore(server: string): void {
    this.#silent.delete(server);
    const held = this.#held.get(server) ?? [];
    this.#held.delete(server);
    for (const deliver of held) deliver();
  }

  /** Returns a sender whose messages to or from the server arrive in order. */
  createSender(server: string): (deliver: () => void) => void {
    let lastArrival = 0;
    return (deliver) => {
      const now = this.#clock.monotonic();
      lastArrival = Math.max(lastArrival, now + this.#latencyMs());
      later(this.#clock, lastArrival - now, () => {
        if (!this.#silent.has(server)) deliver();
        else this.#held.set(server, [...(this.#held.get(server) ?? []), deliver]);
      });
    };
  }
}
