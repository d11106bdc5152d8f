import { sleep, type Clock } from "../../core/clock.ts";
import { HoldfastError } from "../../core/errors.ts";
import type { RedisClient } from "./client.ts";
import { readMessage, NOT_EXECUTED, QUEUE_FULL, RETRY_AFTER_MS, toStoreError } from "./errors.ts";
import type { Script } from "./script.ts";

/** How commands are sent. */
export interface RedisConnectionOptions {
  readonly description: string;
  /** Drives the deadlines. It is also the store's time if `virtual` is set. */
  readonly clock: Clock;
  readonly virtual: boolean;
  readonly commandTimeoutMs: number;
  /** How many replicas must have a write before it is acknowledged. */
  readonly replicas: number;
}

/** A write has a longer deadline than a read, because a write that misses it may still take effect. */
const WRITE_TIMEOUT_FACTOR = 4;
const RETRY_PAUSE_MS = 50;
/** How long a server may stay silent before its connection is replaced, in units of `commandTimeoutMs`. */
const MAX_SILENT_TIMEOUTS = 10;

/** Sends commands with a deadline, whichever client is behind it. A failed command rejects with `store_unavailable`. */
export class RedisConnection {
  readonly #open: () => Promise<RedisClient>;
  readonly #options: RedisConnectionOptions;
  readonly #interruptions: () => number;
  #client: RedisClient | null;
  /** Rejects the pending commands. */
  readonly #rejectPending = new Set<(why: Error) => void>();
  /** When each silent server stopped answering, on the monotonic clock. */
  readonly #silentSince = new Map<string, number>();
  #connecting: Promise<void> | null = null;
  #closed = false;

  private constructor(
    client: RedisClient | null,
    open: () => Promise<RedisClient>,
    options: RedisConnectionOptions,
    interruptions: () => number,
  ) {
    this.#client = client;
    this.#open = open;
    this.#options = options;
    this.#interruptions = interruptions;
  }

  /** `interruptions` returns how many failures of a connection have been seen so far. */
  static async open(
    open: () => Promise<RedisClient>,
    options: RedisConnectionOptions,
    interruptions: () => number = () => 0,
  ): Promise<RedisConnection> {
    return new RedisConnection(await open(), open, options, interruptions);
  }

  /** Connects in the background. Until it is connected, every command fails at once. */
  static openInBackground(
    open: () => Promise<RedisClient>,
    options: RedisConnectionOptions,
  ): RedisConnection {
    const connection = new RedisConnection(null, open, options, () => 0);
    connection.#connecting = connection.#connect();
    return connection;
  }

  /**
   * Runs a script on the server of the first key; all keys belong to that server. It is run once more when the first
   * run had no effect.
   */
  async runScript(
    script: Script,
    keys: readonly string[],
    args: readonly (string | number)[] = [],
  ): Promise<unknown> {
    const { commandTimeoutMs, clock, virtual } = this.#options;
    const ms = commandTimeoutMs * (script.writes ? WRITE_TIMEOUT_FACTOR : 1);
    const time = virtual ? String(clock.now()) : "";
    const rest = [String(keys.length), ...keys, time, ...args.map(String)];
    return await this.#withDeadline(ms, keys[0] ?? "", async () => {
      try {
        return await this.#evaluate(script, keys[0] ?? "", rest, ms);
      } catch (error) {
        if (script.writes && !NOT_EXECUTED.test(readMessage(error))) throw error;
        await sleep(clock, RETRY_PAUSE_MS);
        return await this.#evaluate(script, keys[0] ?? "", rest, ms);
      }
    });
  }

  /** Sends a command that may block for `blockMs` on the server. */
  async send(key: string, command: readonly string[], blockMs: number): Promise<unknown> {
    const ms = blockMs + this.#options.commandTimeoutMs;
    return await this.#withDeadline(ms, key, async () => await this.#requireClient().send(key, command));
  }

  /** Returns the reply of each primary. */
  async sendToPrimaries(command: readonly string[]): Promise<unknown[]> {
    const ms = this.#options.commandTimeoutMs;
    return await this.#withDeadline(ms, "", async () => await this.#requireClient().sendToPrimaries(command));
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const reject of this.#rejectPending) reject(this.#closedError());
    await this.#client?.destroy();
  }

  async #evaluate(script: Script, key: string, rest: readonly string[], ms: number): Promise<unknown> {
    const client = this.#requireClient();
    const before = this.#interruptions();
    let reply: unknown;
    try {
      reply = await client.send(key, ["EVALSHA", script.sha, ...rest]);
    } catch (error) {
      if (!readMessage(error).startsWith("NOSCRIPT")) throw error;
      reply = await client.send(key, ["EVAL", script.lua, ...rest]);
    }
    if (!script.writes || this.#options.replicas === 0) return reply;
    const reached = await this.#countReplicas(client, key, ms);
    // WAIT counts only writes of the same connection.
    if (reached >= this.#options.replicas && this.#interruptions() === before) return reply;
    throw this.#notReplicatedError(reached);
  }

  /** Counts the replicas that have the write. It never rejects, because the write itself has been executed. */
  async #countReplicas(client: RedisClient, key: string, ms: number): Promise<number> {
    const command = ["WAIT", String(this.#options.replicas), String(Math.ceil(ms / 2))];
    try {
      return Number(await client.sendOnSameConnection(key, command));
    } catch {
      return 0;
    }
  }

  #requireClient(): RedisClient {
    if (this.#client !== null) return this.#client;
    throw new Error("the client is offline");
  }

  async #withDeadline<T>(ms: number, key: string, work: () => Promise<T>): Promise<T> {
    const { clock, description } = this.#options;
    if (this.#closed) throw this.#closedError();
    const server = this.#client?.serverOf(key) ?? "";
    const { promise, reject } = Promise.withResolvers<never>();
    const onTimeout = () => {
      reject(new Error(`no answer within ${ms} ms`));
      this.#recordMissedAnswer(server);
    };
    // Answers that arrived while the event loop was blocked are read before the command is rejected.
    let stop = clock.after(ms, () => {
      const immediate = setImmediate(onTimeout);
      stop = () => clearImmediate(immediate);
    });
    this.#rejectPending.add(reject);
    const runWork = async () => {
      try {
        const answer = await work();
        this.#silentSince.delete(server);
        return answer;
      } catch (error) {
        if (readMessage(error) === QUEUE_FULL) this.#recordMissedAnswer(server);
        else this.#silentSince.delete(server);
        throw error;
      }
    };
    try {
      return await Promise.race([runWork(), promise]);
    } catch (error) {
      throw toStoreError(description, error);
    } finally {
      this.#rejectPending.delete(reject);
      stop();
    }
  }

  /** Replaces a connection that has been silent for too long. TCP alone would retry for a quarter of an hour. */
  #recordMissedAnswer(server: string): void {
    const now = this.#options.clock.monotonic();
    const since = this.#silentSince.get(server);
    if (since === undefined) this.#silentSince.set(server, now);
    else if (
      now - since >= MAX_SILENT_TIMEOUTS * this.#options.commandTimeoutMs &&
      this.#connecting === null
    ) {
      this.#connecting = this.#connect();
    }
  }

  /** Replaces the client. The old one stays in use until then, because in a cluster other servers may still answer. */
  async #connect(): Promise<void> {
    const old = this.#client;
    while (!this.#closed && this.#client === old) {
      try {
        this.#client = await this.#open();
        await (this.#closed ? this.#client : old)?.destroy();
      } catch {
        if (!this.#closed) await sleep(this.#options.clock, RETRY_AFTER_MS);
      }
    }
    this.#silentSince.clear();
    this.#connecting = null;
  }

  #notReplicatedError(reached: number): HoldfastError {
    const { description, replicas } = this.#options;
    const message = `${description}: the write reached ${reached} of ${replicas} replicas in time; it may still take effect`;
    return new HoldfastError("store_unavailable", message, { retryAfterMs: RETRY_AFTER_MS });
  }

  #closedError(): HoldfastError {
    return new HoldfastError("closed", `${this.#options.description} was closed`);
  }
}
