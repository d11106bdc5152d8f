import { sleep, type Clock } from "../../src/core/clock.ts";
import type { NetworkPath } from "./network-path.ts";
import type { RedisNode } from "./node.ts";
import { ClientSocket } from "./socket.ts";

/** How a client of the package connects. */
export interface ReconnectOptions {
  /** The clock of the process. Its timers die with the process. */
  readonly clock: Clock;
  readonly random: () => number;
  /** Whether the process still runs. */
  readonly isAlive: () => boolean;
  readonly path: NetworkPath;
  /** Returns the server to connect to, at each attempt. */
  readonly target: () => RedisNode;
  /** How long one attempt lasts, ms. */
  readonly connectTimeoutMs: number;
  /** Called when the connection broke, and for each failed attempt. */
  readonly onInterruption: (error: Error) => void;
}

/** The pauses of the store's own strategy, ms. */
const FIRST_PAUSE_MS = 50;
const MAX_PAUSE_MS = 1000;

/** A connection that is made again whenever it breaks, until it is closed. */
export class ReconnectingSocket {
  readonly #options: ReconnectOptions;
  readonly #closing = new AbortController();
  #socket: ClientSocket | null = null;
  #connecting: Promise<void> | null = null;
  #epoch = 0;

  constructor(options: ReconnectOptions) {
    this.#options = options;
  }

  /** The server that it is connected to, or was connected to last. `null` before the first connection. */
  get node(): RedisNode | null {
    return this.#socket?.node ?? null;
  }

  /** Grows with each connection. */
  get epoch(): number {
    return this.#epoch;
  }

  /** Resolves when it is connected. Joins an attempt that is under way. */
  async connect(): Promise<void> {
    if (this.#socket?.isOpen === true) return;
    await (this.#connecting ??= this.#connect());
  }

  /** Rejects at once while it is not connected. */
  async send(words: readonly string[]): Promise<unknown> {
    if (this.#socket === null) throw new Error("The client is offline");
    return await this.#socket.send(words);
  }

  /** Leaves the server, and connects again. */
  reconnect(): void {
    this.#socket?.close();
    this.#connectInBackground();
  }

  close(): void {
    this.#closing.abort(new Error("The client is closed"));
    this.#socket?.close();
  }

  /** A closed client needs no connection. */
  #connectInBackground(): void {
    this.connect().catch(() => {});
  }

  async #connect(): Promise<void> {
    const { clock, random, onInterruption } = this.#options;
    const { signal } = this.#closing;
    try {
      for (let retries = 0; ; retries++) {
        try {
          this.#socket = await this.#attempt();
          this.#epoch++;
          if (signal.aborted) this.#socket.close();
          return;
        } catch (error) {
          if (!signal.aborted) onInterruption(error as Error);
        }
        const pause =
          Math.min(MAX_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(retries, 10)) * (0.5 + random() / 2);
        await sleep(clock, pause, signal);
      }
    } finally {
      this.#connecting = null;
    }
  }

  async #attempt(): Promise<ClientSocket> {
    const { clock, path, target, connectTimeoutMs, onInterruption, isAlive } = this.#options;
    const { promise, reject } = Promise.withResolvers<never>();
    let isCurrent = true;
    const stop = clock.after(connectTimeoutMs, () => reject(new Error("Connection timeout")));
    const opened = ClientSocket.open(target(), path, (error) => {
      onInterruption(error);
      if (!this.#closing.signal.aborted && isAlive()) this.#connectInBackground();
    });
    // A connection that is ready too late is not used.
    void opened.then(
      (socket) => isCurrent || socket.close(),
      () => {},
    );
    try {
      return await Promise.race([opened, promise]);
    } catch (error) {
      isCurrent = false;
      throw error;
    } finally {
      stop();
    }
  }
}
