import { hash } from "node:crypto";
import { sleep, type Clock } from "../../core/clock.ts";
import { HoldfastError, isHoldfastError } from "../../core/errors.ts";
import type { Client } from "./client.ts";

/** Runs on the server, all or nothing as long as that lives. `now` is the store's time, epoch ms. */
export interface Script {
  readonly lua: string;
  readonly sha: string;
  readonly writes: boolean;
}

/** The time is the server's, unless the first argument brings another. */
const NOW = `local now = tonumber(ARGV[1])
if not now then
  local time = redis.call('TIME')
  now = time[1] * 1000 + math.floor(time[2] / 1000)
end
`;

export function reading(body: string): Script {
  return { lua: NOW + body, sha: hash("sha1", NOW + body), writes: false };
}

export function writing(body: string): Script {
  return { ...reading(body), writes: true };
}

export interface LinkOptions {
  readonly description: string;
  /** Drives deadlines; also the store's time, if `virtual`. */
  readonly clock: Clock;
  readonly virtual: boolean;
  readonly commandTimeoutMs: number;
  /** How many replicas must have a write before it counts. */
  readonly replicas: number;
}

/** A write is given more time: when it is given up, nobody knows whether it took effect. */
const WRITE_PATIENCE = 4;
const RETRY_PAUSE_MS = 50;
const RETRY_AFTER_MS = 1000;

/** What the server says before it does anything, or the client instead of sending it. */
const NOT_DONE = /\b(READONLY|LOADING|MASTERDOWN|CLUSTERDOWN|TRYAGAIN)\b|client is offline/;

/** Commands with a deadline, over whatever kind of connection. What fails is `store_unavailable`. */
export class Link {
  readonly #client: Client;
  readonly #options: LinkOptions;
  readonly #disturbances: () => number;
  /** Gives up the commands under way. */
  readonly #giveUp = new Set<(why: Error) => void>();
  #closed = false;

  constructor(client: Client, options: LinkOptions, disturbances: () => number) {
    this.#client = client;
    this.#options = options;
    this.#disturbances = disturbances;
  }

  /** The first of `keys` says which server; all of them are on the same. Tries twice where nothing was done. */
  async run(
    script: Script,
    keys: readonly string[],
    args: readonly (string | number)[] = [],
  ): Promise<unknown> {
    const { commandTimeoutMs, clock, virtual } = this.#options;
    const ms = commandTimeoutMs * (script.writes ? WRITE_PATIENCE : 1);
    const time = virtual ? String(clock.now()) : "";
    const rest = [String(keys.length), ...keys, time, ...args.map(String)];
    return await this.#within(ms, async () => {
      try {
        return await this.#evaluate(script, keys[0] ?? "", rest, ms);
      } catch (error) {
        if (script.writes && !NOT_DONE.test(messageOf(error))) throw error;
        await sleep(clock, RETRY_PAUSE_MS);
        return await this.#evaluate(script, keys[0] ?? "", rest, ms);
      }
    });
  }

  /** A command that may block for `blockMs` on the server. */
  async wait(key: string, command: readonly string[], blockMs: number): Promise<unknown> {
    const ms = blockMs + this.#options.commandTimeoutMs;
    return await this.#within(ms, async () => await this.#client.send(key, command));
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const giveUp of this.#giveUp) giveUp(this.#closedError());
    await this.#client.destroy();
  }

  async #evaluate(script: Script, key: string, rest: readonly string[], ms: number): Promise<unknown> {
    const before = this.#disturbances();
    let reply: unknown;
    try {
      reply = await this.#client.send(key, ["EVALSHA", script.sha, ...rest]);
    } catch (error) {
      if (!messageOf(error).startsWith("NOSCRIPT")) throw error;
      reply = await this.#client.send(key, ["EVAL", script.lua, ...rest]);
    }
    if (script.writes && this.#options.replicas > 0) await this.#replicated(key, ms, before);
    return reply;
  }

  /** Counts for what this connection wrote before: on another one it would count for nothing. */
  async #replicated(key: string, ms: number, before: number): Promise<void> {
    const { replicas } = this.#options;
    const got = Number(await this.#client.send(key, ["WAIT", String(replicas), String(Math.ceil(ms / 2))]));
    if (got >= replicas && this.#disturbances() === before) return;
    throw new HoldfastError(
      "store_unavailable",
      `${this.#options.description}: the write reached ${got} of ${replicas} replicas in time; it may take effect all the same`,
      { retryAfterMs: RETRY_AFTER_MS },
    );
  }

  async #within<T>(ms: number, work: () => Promise<T>): Promise<T> {
    const { clock, description } = this.#options;
    if (this.#closed) throw this.#closedError();
    const { promise, reject } = Promise.withResolvers<never>();
    const late = () => reject(new Error(`no answer within ${ms} ms`));
    // What has arrived while the event loop was blocked is read first.
    const stop = clock.after(ms, () => setImmediate(late));
    this.#giveUp.add(reject);
    try {
      return await Promise.race([work(), promise]);
    } catch (error) {
      throw storeError(description, error);
    } finally {
      this.#giveUp.delete(reject);
      stop();
    }
  }

  #closedError(): HoldfastError {
    return new HoldfastError("closed", `${this.#options.description} was closed`);
  }
}

/** Whatever Redis or its client said, as an error of ours that names the store. */
export function storeError(description: string, error: unknown): HoldfastError {
  if (isHoldfastError(error)) return error;
  const said = messageOf(error);
  if (said.startsWith("EMPTIED")) {
    const message = `${description} was emptied or replaced while it was open: restore it, or restart`;
    return new HoldfastError("store_emptied", message, { cause: error });
  }
  if (said.startsWith("WRONGTYPE")) {
    const message = `${description} holds something else under our names: choose another prefix or database`;
    return new HoldfastError("store_corrupt", message, { cause: error });
  }
  return new HoldfastError("store_unavailable", `${description}: ${said}`, {
    cause: error,
    retryAfterMs: RETRY_AFTER_MS,
  });
}

function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return "failed";
  // Several addresses were tried: each has its error, and the whole has no message.
  return error.message === "" ? String((error as { code?: unknown }).code) : error.message;
}
