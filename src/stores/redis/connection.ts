import { afterTurn, sleep, systemClock, type Clock } from "../../core/clock.ts";
import { HoldfastError } from "../../core/errors.ts";
import { backoffMs } from "../../resilience/backoff.ts";
import { ClientSupervisor, type OpenClient } from "./client-supervisor.ts";
import type { Answer, RedisClient } from "./client.ts";
import { isAnswer, NOT_EXECUTED, readMessage, RETRY_AFTER_MS, splitError, toStoreError } from "./errors.ts";
import type { FormatFence } from "./format-fence.ts";
import type { FailureReason } from "./failure-reason.ts";
import type { Script, ScriptText } from "./script.ts";
import { findDoubt } from "./write-confirmation.ts";

/** How commands are sent. */
export interface RedisConnectionOptions {
  readonly description: string;
  /** Drives the deadlines. It is also the store's time if `virtual` is set. */
  readonly clock: Clock;
  /**
   * Measures how long servers take. Default: the clock of the system, because real servers answer in real time, also
   * for a virtual clock.
   */
  readonly networkClock?: Clock;
  readonly virtual: boolean;
  readonly commandTimeoutMs: number;
  /** How many replicas must have a write before it is acknowledged. `setReplicas` can change it. */
  readonly replicas: number;
  readonly random: () => number;
  /** Says why commands fail. */
  readonly reason: FailureReason;
  /** Called when acknowledged writes may have been lost. */
  readonly onInterruption?: () => void;
  /** Called when every server answers again after an interruption. */
  readonly onRecovered?: () => void;
  /** Called with the error of each command that a newer format refuses. */
  readonly onNewer?: (error: HoldfastError) => void;
  /** Called with the error of each probe after an interruption, until every server answers. */
  readonly onUnreachable?: (error: unknown) => void;
}

/** One run of a script. */
interface ScriptCall {
  readonly text: ScriptText;
  readonly writes: boolean;
  /** The key that decides on the server. */
  readonly key: string;
  /** The arguments that follow the name of the script. */
  readonly rest: readonly string[];
  /** The deadline. */
  readonly ms: number;
}

/** A write has a longer deadline than a read, because a write that misses it may still take effect. */
const WRITE_TIMEOUT_FACTOR = 4;
const RETRY_PAUSE_MS = 50;
/** The pauses while the keys of a script are on two servers of a cluster. */
const SPLIT_PAUSES = { firstMs: 20, maxMs: 200 };
/** An answer after this time is late. A replica can have taken over before it. */
const LATE_MS = 500;
/** How long a server may stay silent before its connection is replaced, in units of `commandTimeoutMs`. */
export const MAX_SILENT_TIMEOUTS = 10;
const MAX_CLOSE_MS = 1000;

/** Sends commands with a deadline, whichever client is behind it. A failed command rejects with `store_unavailable`. */
export class RedisConnection {
  readonly #options: RedisConnectionOptions;
  readonly #networkClock: Clock;
  readonly #supervisor: ClientSupervisor;
  /** Rejects the pending commands. */
  readonly #rejectPending = new Set<(why: Error) => void>();
  #replicas: number;
  #lateReplicas: number;
  #fence: FormatFence | null = null;
  readonly #closeListeners: (() => void)[] = [];
  #closed = false;

  private constructor(open: OpenClient, options: RedisConnectionOptions) {
    const { clock, random, commandTimeoutMs, reason, networkClock = systemClock } = options;
    this.#options = options;
    this.#networkClock = networkClock;
    this.#replicas = options.replicas;
    this.#lateReplicas = options.replicas;
    this.#supervisor = new ClientSupervisor(open, {
      clock,
      networkClock,
      random,
      silenceMs: MAX_SILENT_TIMEOUTS * commandTimeoutMs,
      drainMs: WRITE_TIMEOUT_FACTOR * commandTimeoutMs,
      probe: async () => await this.sendToPrimaries(["PING"]),
      onInterruption(error) {
        reason.record(error);
        options.onInterruption?.();
      },
      onRecovered: () => options.onRecovered?.(),
      onProbeFailed: (error) => options.onUnreachable?.(error),
      onOpenFailed: (error) => reason.record(error),
    });
  }

  /** Rejects when the first client cannot be opened. */
  static async open(open: OpenClient, options: RedisConnectionOptions): Promise<RedisConnection> {
    const connection = new RedisConnection(open, options);
    await connection.#supervisor.start();
    return connection;
  }

  /** Connects in the background. Until it is connected, every command fails at once. */
  static openInBackground(open: OpenClient, options: RedisConnectionOptions): RedisConnection {
    const connection = new RedisConnection(open, options);
    connection.#supervisor.startInBackground();
    return connection;
  }

  /**
   * Runs a script on the server of the first key; all keys belong to that server. It is run once more when the first
   * run had no effect, and several times while a cluster moves the keys to another server.
   */
  async runScript(
    script: Script,
    keys: readonly string[],
    args: readonly (string | number)[] = [],
  ): Promise<unknown> {
    const { commandTimeoutMs, clock, virtual } = this.#options;
    const ms = commandTimeoutMs * (script.writes ? WRITE_TIMEOUT_FACTOR : 1);
    const time = virtual ? String(clock.now()) : "";
    const { text, manifestKeys } = await this.#passFence(script);
    const all = [...keys, ...manifestKeys];
    const rest = [String(all.length), ...all, time, ...args.map(String)];
    const call = { text, writes: script.writes, key: keys[0] ?? "", rest, ms };
    return await this.#withDeadline(ms, call.key, async () => await this.#evaluateAgain(call));
  }

  /** Sends a command that may block for `blockMs` on the server. */
  async send(key: string, command: readonly string[], blockMs: number): Promise<unknown> {
    const ms = blockMs + this.#options.commandTimeoutMs;
    return await this.#withDeadline(
      ms,
      key,
      async () => (await this.#requireClient().send(key, command)).reply,
    );
  }

  /** Returns the reply of each primary. */
  async sendToPrimaries(command: readonly string[]): Promise<unknown[]> {
    const ms = this.#options.commandTimeoutMs;
    return await this.#withDeadline(ms, "", async () => await this.#requireClient().sendToPrimaries(command));
  }

  /**
   * Sets how many replicas must have a write before it is acknowledged. `late` is how many must have a write whose answer
   * came late: the server may have been frozen while a replica took over, and no replica follows it then.
   */
  setReplicas(replicas: number, late: number): void {
    this.#replicas = replicas;
    this.#lateReplicas = Math.max(replicas, late);
  }

  /** Sets what keeps this process from writing in an older format than the store has. */
  setFence(fence: FormatFence): void {
    this.#fence = fence;
  }

  /** Calls `listener` when the connection is closed. */
  onClose(listener: () => void): void {
    this.#closeListeners.push(listener);
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const listener of this.#closeListeners) listener();
    for (const reject of this.#rejectPending) reject(this.#closedError());
    const isDestroyed = this.#supervisor.close();
    // A Sentinel client closes only when its attempt to connect has ended.
    const late = Promise.withResolvers<void>();
    const stop = this.#networkClock.after(MAX_CLOSE_MS, late.resolve, true);
    // The timer would keep the process of a command alive.
    await Promise.race([isDestroyed, late.promise]).finally(stop);
  }

  /** Returns the text of the script to run, and the key that it needs beside its own. */
  async #passFence(script: Script): Promise<{ text: ScriptText; manifestKeys: readonly string[] }> {
    const fence = this.#fence;
    if (fence !== null && script.fenced !== null) {
      if ("manifestKey" in fence) return { text: script.fenced, manifestKeys: [fence.manifestKey] };
      await fence.confirm();
    }
    return { text: script, manifestKeys: [] };
  }

  async #evaluateAgain(call: ScriptCall): Promise<unknown> {
    const { clock, random } = this.#options;
    const networkClock = this.#networkClock;
    const startedAt = networkClock.monotonic();
    let failures = 0;
    for (let splits = 0; ;) {
      try {
        return await this.#evaluate(call);
      } catch (error) {
        const message = readMessage(error);
        if (message.startsWith("TRYAGAIN ")) {
          const pauseMs = backoffMs(++splits, { ...SPLIT_PAUSES, random });
          // The run that succeeds needs the other half of the time.
          if (networkClock.monotonic() - startedAt + pauseMs > call.ms / 2) throw splitError(call.key, error);
          await sleep(networkClock, pauseMs);
          continue;
        }
        if (failures++ > 0 || (call.writes && !NOT_EXECUTED.test(message))) throw error;
      }
      await sleep(clock, RETRY_PAUSE_MS);
    }
  }

  async #evaluate({ text, writes, key, rest, ms }: ScriptCall): Promise<unknown> {
    const client = this.#requireClient();
    const sentAt = this.#networkClock.monotonic();
    let answer: Answer;
    try {
      answer = await client.send(key, ["EVALSHA", text.sha, ...rest]);
    } catch (error) {
      if (!readMessage(error).startsWith("NOSCRIPT")) throw error;
      answer = await client.send(key, ["EVAL", text.lua, ...rest]);
    }
    if (!writes) return answer.reply;
    const tookMs = this.#networkClock.monotonic() - sentAt;
    const isLate = tookMs > Math.min(LATE_MS, this.#options.commandTimeoutMs);
    const replicas = isLate ? this.#lateReplicas : this.#replicas;
    const waitMs = isLate ? LATE_MS : ms / 2;
    const doubt = await findDoubt(answer.connection, { key, replicas, waitMs, isLate });
    if (doubt === null) return answer.reply;
    throw this.#unconfirmedError(doubt);
  }

  #requireClient(): RedisClient {
    const { client } = this.#supervisor;
    if (client !== null) return client;
    throw new Error("not connected yet");
  }

  async #withDeadline<T>(ms: number, key: string, work: () => Promise<T>): Promise<T> {
    const { clock, description, reason } = this.#options;
    if (this.#closed) throw this.#closedError();
    const supervisor = this.#supervisor;
    const server = this.#serverOf(key);
    const { promise, reject } = Promise.withResolvers<never>();
    let onTimeout: (() => void) | null = () => {
      reject(new Error(`no answer within ${ms} ms`));
      supervisor.recordMissedAnswer(server);
    };
    // Answers that arrived while the event loop was blocked are read before the command is rejected.
    const stop = clock.after(ms, () => afterTurn(clock, () => onTimeout?.()));
    this.#rejectPending.add(reject);
    const runWork = async () => {
      try {
        const answer = await work();
        supervisor.recordAnswer(server);
        reason.clear();
        return answer;
      } catch (error) {
        if (isAnswer(error)) supervisor.recordAnswer(server);
        else supervisor.recordMissedAnswer(server);
        throw error;
      }
    };
    try {
      return await Promise.race([runWork(), promise]);
    } catch (error) {
      const failure = toStoreError(description, error, reason.text);
      if (failure.code === "store_newer") this.#recordNewer(failure);
      throw failure;
    } finally {
      this.#rejectPending.delete(reject);
      onTimeout = null;
      stop();
    }
  }

  /** A closed cluster has no server for the key. */
  #serverOf(key: string): string {
    try {
      return key === "" ? "" : (this.#supervisor.client?.serverOf(key) ?? "");
    } catch {
      return "";
    }
  }

  #recordNewer(failure: HoldfastError): void {
    if (this.#fence !== null && "expire" in this.#fence) this.#fence.expire();
    this.#options.onNewer?.(failure);
  }

  #unconfirmedError(why: string): HoldfastError {
    const message = `${this.#options.description}: ${why}; it may still take effect`;
    return new HoldfastError("store_unavailable", message, { retryAfterMs: RETRY_AFTER_MS });
  }

  #closedError(): HoldfastError {
    return new HoldfastError("closed", `${this.#options.description} was closed`);
  }
}
