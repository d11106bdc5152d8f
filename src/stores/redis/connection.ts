import { sleep, type Clock } from "../../core/clock.ts";
import { HoldfastError } from "../../core/errors.ts";
import type { RedisClient } from "./client.ts";
import { readMessage, NOT_EXECUTED, QUEUE_FULL, RETRY_AFTER_MS, toStoreError } from "./errors.ts";
import type { Script } from "./script.ts";

export interface RedisConnectionOptions {
  readonly description: string;
  /** Drives deadlines; also the store's time, if `virtual`. */
  readonly clock: Clock;
  readonly virtual: boolean;
  readonly commandTimeoutMs: number;
  /** How many replicas must have a write before it counts. */
  readonly replicas: number;
}

/** A write is given more time: when it is given up, nobody knows whether it took effect. */
const WRITE_TIMEOUT_FACTOR = 4;
const RETRY_PAUSE_MS = 50;
/** In terms of `commandTimeoutMs`: how long a server may say nothing at all. */
const MAX_SILENT_TIMEOUTS = 10;

/** Commands with a deadline, over whatever kind of connection. What fails is `store_unavailable`. */
export class RedisConnection {
  readonly #open: () => Promise<RedisClient>;
  readonly #options: RedisConnectionOptions;
  readonly #interruptions: () => number;
  #client: RedisClient | null;
  /** Gives up the commands under way. */
  readonly #rejectPending = new Set<(why: Error) => void>();
  /** Servers that answer nothing, and since when. */
  readonly #silentSince = new Map<string, number>();
  #connecting: Promise<void> | null = null;
  #closed = false;

  private constructor(
    client: RedisClient | null,
    open: () => Promise<RedisClient>,
    options: RedisConnectionOptions,
    disturbances: () => number,
  ) {
    this.#client = client;
    this.#open = open;
    this.#options = options;
    this.#interruptions = disturbances;
  }

  /** `disturbances` counts what may have cost a connection. */
  static async open(
    open: () => Promise<RedisClient>,
    options: RedisConnectionOptions,
    disturbances: () => number = () => 0,
  ): Promise<RedisConnection> {
    return new RedisConnection(await open(), open, options, disturbances);
  }

  /** Connects in the background; until then every command fails at once. */
  static openInBackground(
    open: () => Promise<RedisClient>,
    options: RedisConnectionOptions,
  ): RedisConnection {
    const link = new RedisConnection(null, open, options, () => 0);
    link.#connecting = link.#connect();
    return link;
  }

  /** The first of `keys` says which server; all of them are on the same. Tries twice where nothing was done. */
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

  /** A command that may block for `blockMs` on the server. */
  async send(key: string, command: readonly string[], blockMs: number): Promise<unknown> {
    const ms = blockMs + this.#options.commandTimeoutMs;
    return await this.#withDeadline(ms, key, async () => await this.#requireClient().send(key, command));
  }

  /** What each primary says to it. */
  async sendToPrimaries(command: readonly string[]): Promise<unknown[]> {
    const ms = this.#options.commandTimeoutMs;
    return await this.#withDeadline(ms, "", async () => await this.#requireClient().sendToPrimaries(command));
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const giveUp of this.#rejectPending) giveUp(this.#closedError());
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
    const got = await this.#countReplicas(client, key, ms);
    // On another connection than the one that wrote it would count for nothing.
    if (got >= this.#options.replicas && this.#interruptions() === before) return reply;
    throw this.#notReplicatedError(got);
  }

  /** How many have what was written. Never rejects: that would pass for a write that was not done. */
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
    const late = () => {
      reject(new Error(`no answer within ${ms} ms`));
      this.#recordMissedAnswer(server);
    };
    // What has arrived while the event loop was blocked is read first.
    let stop = clock.after(ms, () => {
      const immediate = setImmediate(late);
      stop = () => clearImmediate(immediate);
    });
    this.#rejectPending.add(reject);
    const answered = async () => {
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
      return await Promise.race([answered(), promise]);
    } catch (error) {
      throw toStoreError(description, error);
    } finally {
      this.#rejectPending.delete(reject);
      stop();
    }
  }

  /** A connection over which nothing comes would be tried for a quarter of an hour: it is replaced. */
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

  /** The connections there are go on until there are new ones: in a cluster only one server may be silent. */
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

  #notReplicatedError(got: number): HoldfastError {
    const { description, replicas } = this.#options;
    const message = `${description}: the write reached ${got} of ${replicas} replicas in time; it may take effect all the same`;
    return new HoldfastError("store_unavailable", message, { retryAfterMs: RETRY_AFTER_MS });
  }

  #closedError(): HoldfastError {
    return new HoldfastError("closed", `${this.#options.description} was closed`);
  }
}
