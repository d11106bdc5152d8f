import module from "node:module";
import { dirname } from "node:path";
import { Worker } from "node:worker_threads";
import { afterTurn, type Clock, systemClock } from "../../core/clock.ts";
import { isSystemRandom } from "../../core/entropy.ts";
import { HoldfastError } from "../../core/errors.ts";
import type { RevocationEntry } from "../../core/revocation.ts";
import type { Commit } from "./commit-counts.ts";
import { describeFile } from "./open.ts";
import {
  decodeError,
  withList,
  type Answer,
  type Command,
  type FileIdentity,
  type Moment,
  type OpenedThread,
  type ThreadOptions,
  type ThreadRequest,
  type ThreadResponse,
} from "./thread-protocol.ts";
import { startedModule } from "../../core/package-files.ts";

/** How the thread is opened. */
export interface ThreadSettings {
  /** Absolute path. */
  readonly file: string;
  readonly lockTimeoutMs: number;
  readonly clock: Clock;
  readonly random: () => number;
  readonly newEpoch?: string;
  /** For tests and benchmarks: how long each commit blocks the thread, ms. Default 0. */
  readonly commitDelayMs?: number;
}

interface ThreadListeners {
  readonly onPublished: (entries: readonly RevocationEntry[]) => void;
  readonly onCommit: (commit: Commit) => void;
}

interface PendingCommand {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
  /** The slices of a long list that have arrived. `null` when none has arrived. */
  slices: unknown[] | null;
}

const NO_THREAD_HINT =
  "A bundler must leave holdfast out of its bundle, and --permission needs --allow-worker; or set `thread: false`";

/** The thread shares the compile cache of the process, if there is one: compiling takes most of its start. */
function compileCacheEnvironment(): Record<string, string> {
  // Other runtimes have no such function. The directory of the process is one for its version, within the given one.
  const directory = module.getCompileCacheDir?.();
  return directory === undefined ? {} : { NODE_COMPILE_CACHE: dirname(directory) };
}

/**
 * The application's side of the store's thread. Commands of one turn of the event loop are one message. The thread keeps
 * the process alive only while a command is pending. When the thread ends unexpectedly, pending commands reject with
 * `store_unavailable`, and the next command starts it again.
 */
export class SqliteThread {
  readonly #settings: ThreadSettings;
  readonly #listeners: ThreadListeners;
  readonly #description: string;
  /** `null` when the thread uses the clock of the system itself. */
  readonly #injected: { readonly clock: Clock; readonly random: () => number } | null;
  readonly #pending = new Map<number, PendingCommand>();
  #queue: Command[] = [];
  #isFlushScheduled = false;
  #nextId = 0;
  #worker: Worker | null = null;
  #starting: Promise<OpenedThread> | null = null;
  #file: FileIdentity | null = null;
  #closing: Promise<void> | null = null;
  #isWatching = false;
  /** Cancels the timers that the thread has set on an injected clock. */
  readonly #timers = new Map<number, () => void>();

  constructor(settings: ThreadSettings, listeners: ThreadListeners) {
    const { clock, random } = settings;
    this.#settings = settings;
    this.#listeners = listeners;
    this.#description = describeFile(settings.file);
    this.#injected = clock === systemClock && isSystemRandom(random) ? null : { clock, random };
  }

  /** Starts the thread, unless it runs, and opens the store in it. Rejects as `sqliteStore` does. */
  async open(): Promise<OpenedThread> {
    this.#starting ??= this.#start();
    try {
      return await this.#starting;
    } catch (error) {
      this.#starting = null;
      throw error;
    }
  }

  /** Runs a method of the store in its thread. */
  async call(part: string, method: string, args: readonly unknown[]): Promise<unknown> {
    if (this.#closing !== null) throw new HoldfastError("closed", `${this.#description} was closed`);
    return await this.#send(part, method, args);
  }

  /** Whether entries of other processes are published as well, within milliseconds. Needs the clock of the system. */
  watch(isOn: boolean): void {
    this.#isWatching = isOn;
    if (this.#worker !== null) this.#post(this.#worker, { watch: isOn });
  }

  /** Finishes the accepted commands, closes the file and ends the thread. */
  async close(): Promise<void> {
    this.#closing ??= this.#close();
    await this.#closing;
  }

  async #close(): Promise<void> {
    try {
      // Commands may wait for a thread that is starting.
      await this.#starting?.catch(() => undefined);
      if (this.#worker !== null || this.#queue.length > 0) await this.#send("", "close", []);
    } finally {
      await this.#worker?.terminate();
    }
  }

  async #send(part: string, method: string, args: readonly unknown[]): Promise<unknown> {
    return await new Promise((resolve, reject) => {
      const id = this.#nextId++;
      if (this.#pending.size === 0) this.#worker?.ref();
      this.#pending.set(id, { resolve, reject, slices: null });
      this.#queue.push([id, part, method, args]);
      if (this.#isFlushScheduled) return;
      this.#isFlushScheduled = true;
      afterTurn(this.#settings.clock, () => {
        this.#isFlushScheduled = false;
        if (this.#worker !== null) this.#flush(this.#worker);
        else void this.#restart();
      });
    });
  }

  /** Never rejects. */
  async #restart(): Promise<void> {
    try {
      await this.open();
      if (this.#worker !== null) this.#flush(this.#worker);
    } catch (error) {
      for (const [id] of this.#queue.splice(0)) this.#settle([id, undefined, null], error);
    }
  }

  #flush(worker: Worker): void {
    const commands = this.#queue.splice(0);
    try {
      this.#post(worker, { commands });
    } catch {
      // An argument cannot be sent. Only its own command fails.
      for (const command of commands) {
        try {
          this.#post(worker, { commands: [command] });
        } catch (error) {
          this.#settle([command[0], undefined, null], error);
        }
      }
    }
  }

  #post(worker: Worker, request: ThreadRequest): void {
    const moment = this.#moment();
    worker.postMessage(moment === null ? request : { ...request, moment });
  }

  #moment(): Moment | null {
    if (this.#injected === null) return null;
    const { clock, random } = this.#injected;
    return { wall: clock.now(), monotonic: clock.monotonic(), random: random() };
  }

  async #start(): Promise<OpenedThread> {
    const { file, lockTimeoutMs, newEpoch, commitDelayMs = 0 } = this.#settings;
    const workerData: ThreadOptions = {
      file,
      lockTimeoutMs,
      ...(newEpoch !== undefined && { newEpoch }),
      commitDelayMs,
      moment: this.#moment(),
      expectedFile: this.#file,
    };
    return await new Promise((resolve, reject) => {
      // Options and environment of the application are not for this thread: it must not load its modules again.
      const options = { name: "holdfast-sqlite", workerData, execArgv: [], env: compileCacheEnvironment() };
      let worker: Worker;
      try {
        worker = new Worker(startedModule("stores/sqlite/thread-worker"), options);
      } catch (error) {
        return reject(this.#endedError(error, `. ${NO_THREAD_HINT}`));
      }
      let reason: unknown = null;
      worker.on("error", (error) => (reason = error));
      worker.on("exit", () => {
        const hasOpened = this.#worker === worker;
        const error = this.#endedError(reason, hasOpened ? "" : `. ${NO_THREAD_HINT}`);
        reject(error);
        this.#lose(worker, error);
      });
      worker.on("message", (response: ThreadResponse) => {
        const { opened, failed, commits = [] } = response;
        for (const commit of commits) this.#listeners.onCommit(commit);
        if (failed !== undefined) {
          reject(decodeError(failed));
        } else if (opened === undefined) {
          this.#receive(worker, response);
        } else {
          this.#file = opened.file;
          this.#worker = worker;
          if (this.#isWatching) this.#post(worker, { watch: true });
          if (this.#pending.size === 0) worker.unref();
          resolve(opened);
        }
      });
    });
  }

  /** Forgets a thread that has ended, so that the next command starts another one. */
  #lose(worker: Worker, error: HoldfastError): void {
    this.#starting = null;
    for (const cancel of this.#timers.values()) cancel();
    this.#timers.clear();
    if (this.#worker !== worker) return;
    this.#worker = null;
    const queued = new Set(this.#queue.map(([id]) => id));
    for (const id of this.#pending.keys()) {
      if (!queued.has(id)) this.#settle([id, undefined, null], error);
    }
  }

  #endedError(cause: unknown, hint: string): HoldfastError {
    const detail = cause instanceof Error ? cause.message : "it was ended";
    const message = `${this.#description} cannot be used: its thread has ended (${detail})${hint}`;
    return new HoldfastError("store_unavailable", message, { cause });
  }

  #receive(worker: Worker, { published, answers = [], slice, timer, cancelled }: ThreadResponse): void {
    if (published !== undefined) this.#listeners.onPublished(published);
    for (const answer of answers) this.#settle(answer);
    if (slice !== undefined) {
      const [id, items] = slice;
      const pending = this.#pending.get(id);
      if (pending !== undefined) (pending.slices ??= []).push(...items);
      this.#post(worker, { next: id });
    }
    if (cancelled !== undefined) {
      this.#timers.get(cancelled)?.();
      this.#timers.delete(cancelled);
    }
    if (timer !== undefined && this.#injected !== null) {
      const [id, from, ms] = timer;
      const { clock } = this.#injected;
      const leftMs = from + ms - clock.monotonic();
      const fire = () => {
        this.#timers.delete(id);
        this.#post(worker, { fired: id });
      };
      if (leftMs <= 0) fire();
      else this.#timers.set(id, clock.after(leftMs, fire));
    }
  }

  #settle([id, value, encoded]: Answer, error: unknown = encoded && decodeError(encoded)): void {
    const pending = this.#pending.get(id);
    if (pending === undefined) return;
    this.#pending.delete(id);
    if (this.#pending.size === 0) this.#worker?.unref();
    if (error !== null) pending.reject(error);
    else pending.resolve(pending.slices === null ? value : withList(value, pending.slices));
  }
}
