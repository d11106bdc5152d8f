import { sleep, type Clock } from "../../core/clock.ts";
import { jitter } from "../../resilience/backoff.ts";
import type { RedisClient } from "./client.ts";

/**
 * Opens a client, unless `closing` aborts first. It calls `onInterruption` when a connection failed or another server
 * took over.
 */
export type OpenClient = (
  onInterruption: (error: unknown) => void,
  closing: AbortSignal,
) => Promise<RedisClient>;

/** How a client is watched. */
export interface ClientSupervisorOptions {
  readonly clock: Clock;
  /** Measures how long a server is silent. */
  readonly networkClock: Clock;
  readonly random: () => number;
  /** How long a server may stay without an answer before the client is replaced, ms. */
  readonly silenceMs: number;
  /** How long a replaced client finishes its commands, ms. */
  readonly drainMs: number;
  /** Sends a command that every server answers. It reports its outcome like every other command. */
  readonly probe: () => Promise<unknown>;
  readonly onInterruption: (error: unknown) => void;
  /** Called when every server answers again after an interruption. */
  readonly onRecovered: () => void;
  readonly onProbeFailed: (error: unknown) => void;
  /** Called with the error of a client that could not be opened. */
  readonly onOpenFailed: (error: unknown) => void;
}

const RETRY_MS = 1000;
const RETRY_SPREAD = 0.3;

/**
 * Holds the client, and replaces it when a server does not answer for too long. The package has waits without a bound:
 * a handshake, a Sentinel, the nodes of a cluster, a name that now means another server. A new client ends all of them.
 */
export class ClientSupervisor {
  readonly #open: OpenClient;
  readonly #options: ClientSupervisorOptions;
  /** When each silent server stopped answering, by the clock of the network. */
  readonly #silentSince = new Map<string, number>();
  #client: RedisClient | null = null;
  #isReplacing = false;
  #isProbing = false;
  #isClosed = false;
  /** Replaced clients that still finish their commands. */
  readonly #draining = new Set<RedisClient>();
  /** Aborts the pauses. */
  readonly #closing = new AbortController();

  constructor(open: OpenClient, options: ClientSupervisorOptions) {
    this.#open = open;
    this.#options = options;
  }

  /** `null` until the first client is connected. */
  get client(): RedisClient | null {
    return this.#client;
  }

  /** Opens the first client. Rejects when that fails. */
  async start(): Promise<void> {
    this.#client = await this.#openOne();
  }

  /** Opens the first client in the background, with any number of attempts. */
  startInBackground(): void {
    void this.#replace();
  }

  recordAnswer(server: string): void {
    this.#silentSince.delete(server);
  }

  recordMissedAnswer(server: string): void {
    const now = this.#options.networkClock.monotonic();
    const since = this.#silentSince.get(server);
    if (since === undefined) this.#silentSince.set(server, now);
    else if (now - since >= this.#options.silenceMs) void this.#replace();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#closing.abort(new Error("closed"));
    for (const old of this.#draining) void this.#destroy(old);
    await this.#client?.destroy();
  }

  async #destroy(old: RedisClient): Promise<void> {
    this.#draining.delete(old);
    await old.destroy();
  }

  async #openOne(): Promise<RedisClient> {
    // Closing a replaced client is no interruption of the one that took its place.
    let client: RedisClient | null = null;
    client = await this.#open((error) => {
      if (client !== null && client !== this.#client) return;
      this.#options.onInterruption(error);
      if (client !== null) void this.#probe();
    }, this.#closing.signal);
    return client;
  }

  /** Opens another client until one is connected. The old one stays in use until then, because it may recover. */
  async #replace(): Promise<void> {
    if (this.#isReplacing) return;
    this.#isReplacing = true;
    const old = this.#client;
    while (!this.#isClosed && this.#client === old) {
      try {
        const next = await this.#openOne();
        this.#client = next;
        if (this.#isClosed) await next.destroy();
      } catch (error) {
        if (!this.#isClosed) this.#options.onOpenFailed(error);
        await this.#pause();
      }
      // The old client has recovered without help.
      if (old !== null && this.#silentSince.size === 0) break;
    }
    if (old !== null && this.#client !== old) {
      this.#silentSince.clear();
      this.#draining.add(old);
      this.#options.clock.after(this.#options.drainMs, () => void this.#destroy(old));
      this.#options.onInterruption(null);
      void this.#probe();
    }
    this.#isReplacing = false;
  }

  /** Probes until every server answers, so that a process without requests also notices a server that does not. */
  async #probe(): Promise<void> {
    if (this.#isProbing) return;
    this.#isProbing = true;
    while (!this.#isClosed) {
      try {
        await this.#options.probe();
        this.#silentSince.clear();
        this.#options.onRecovered();
        break;
      } catch (error) {
        if (!this.#isClosed) this.#options.onProbeFailed(error);
        await this.#pause();
      }
    }
    this.#isProbing = false;
  }

  async #pause(): Promise<void> {
    const { clock, random } = this.#options;
    try {
      await sleep(clock, jitter(RETRY_MS, RETRY_SPREAD, random), this.#closing.signal);
    } catch {
      // The loop that paused ends when the supervisor is closed.
    }
  }
}
