import { statSync, type Stats } from "node:fs";
import type { DatabaseSync, StatementSync } from "node:sqlite";
import { awaitTurn, systemClock } from "../../core/clock.ts";
import { HoldfastError } from "../../core/errors.ts";
import type { Commit } from "./commit-counts.ts";
import { isBusy, toStoreError } from "./errors.ts";
import { blockThread, LONGEST_STEP_MS, retryWhileBusy, waitOneStep, type LockOptions } from "./lock-wait.ts";
import { openFile } from "./open-file.ts";
import { newerSchemaError, SCHEMA_VERSION } from "./schema.ts";

/** The most commands in one transaction, so that a burst does not block the event loop for long. */
const MAX_BATCH = 128;

interface PendingWrite {
  readonly command: (nowMs: number) => unknown;
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: unknown) => void;
}

/** Another process that has committed this recently is likely to wait for the lock, ms. */
const OTHERS_RECENT_MS = 100;

/** How a connection is opened and used. */
export interface SqliteConnectionOptions extends LockOptions {
  /** Absolute path, or `:memory:`. */
  readonly file: string;
  /** The epoch of the log, for a file that does not exist yet. Default: SQLite makes it. */
  readonly newEpoch?: string;
  /** Resolves when a batch of writes is complete. */
  readonly awaitBatch: () => Promise<void>;
  /** For tests and benchmarks: how long each commit blocks its thread, as a slow disk does, ms. Default 0. */
  readonly commitDelayMs?: number;
  /** Called at the opening, and after each commit. */
  readonly onCommit?: (commit: Commit) => void;
}

/**
 * A connection to the file. Reads run at once. Writes that arrive in the same turn of the event loop share one
 * transaction, so they share one wait for the disk. A write settles after the transaction is durable.
 */
export class SqliteConnection {
  readonly #options: SqliteConnectionOptions;
  readonly #db: DatabaseSync;
  readonly #begin: StatementSync;
  readonly #commit: StatementSync;
  readonly #userVersion: StatementSync;
  /** Identifies the file that was opened. `undefined` for a database in memory. */
  readonly #openedFile: Stats | undefined;
  readonly #pending: PendingWrite[] = [];
  /** How many commands the next batch takes at most. */
  #batchSize = MAX_BATCH;
  #effects: (() => void)[] = [];
  #draining: Promise<void> | null = null;
  #closed = false;
  readonly #dataVersion: StatementSync;
  readonly #size: StatementSync;
  #lastDataVersion = 0;
  #committedAt = -Infinity;
  #othersSeenAt = -Infinity;

  /** Throws SQLite's own error when the file cannot be opened, so that the caller can check `isBusy`. */
  constructor(options: SqliteConnectionOptions) {
    this.#options = options;
    this.#db = openFile(options);
    // `undefined` for a database in memory.
    this.#openedFile = statSync(options.file, { throwIfNoEntry: false });
    this.#begin = this.#db.prepare("BEGIN IMMEDIATE");
    this.#commit = this.#db.prepare("COMMIT");
    this.#dataVersion = this.#db.prepare("PRAGMA data_version");
    this.#userVersion = this.#db.prepare("PRAGMA user_version");
    this.#size = this.#db.prepare(
      "SELECT page_count * page_size AS bytes FROM pragma_page_count, pragma_page_size",
    );
    this.#reportCommit(0, this.#readSize());
  }

  prepare(sql: string): StatementSync {
    try {
      return this.#db.prepare(sql);
    } catch (error) {
      throw toStoreError(this.#options.description, error);
    }
  }

  /** Runs a query outside any transaction, so its result must come from one statement. */
  async read<T>(query: (nowMs: number) => T): Promise<T> {
    if (this.#closed) throw this.#closedError();
    return await retryWhileBusy(this.#options, () => {
      this.#requireFile();
      try {
        return query(this.#now());
      } catch (error) {
        // A statement can fail because a newer process changed the tables. That process is then the reason to tell.
        if (!isBusy(error)) this.requireKnownSchema();
        throw error;
      }
    });
  }

  /** Resolves after other commands and reads had their turn. */
  async nextTurn(): Promise<void> {
    await awaitTurn(this.#options.clock);
  }

  /** Throws `store_newer` when a newer process has migrated the open file. */
  requireKnownSchema(): void {
    const version = Number(this.#userVersion.get()?.["user_version"]);
    if (version > SCHEMA_VERSION) throw newerSchemaError(this.#options.description, version);
  }

  /**
   * Runs `command` within a transaction. The command is synchronous and has no effect but on the database, because it
   * runs again when a command of its batch fails.
   */
  async write<T>(command: (nowMs: number) => T): Promise<T> {
    if (this.#closed) throw this.#closedError();
    return await new Promise<T>((resolve, reject) => {
      this.#pending.push({ command, resolve: resolve as PendingWrite["resolve"], reject });
      this.#draining ??= this.#drain();
    });
  }

  /** Called by a command. Runs `effect` right after the commit, and not at all without one. */
  afterCommit(effect: () => void): void {
    this.#effects.push(effect);
  }

  /** Finishes the accepted commands, then closes the file. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#draining;
    if (this.#db.isOpen) this.#db.close();
  }

  async #drain(): Promise<void> {
    while (this.#pending.length > 0) {
      await this.#options.awaitBatch();
      await this.#letOthersCommit();
      try {
        await retryWhileBusy(this.#options, () => this.#runBatch());
      } catch (error) {
        for (const { reject } of this.#pending.splice(0)) reject(error);
      }
    }
    this.#draining = null;
  }

  /**
   * Waits a moment after a commit of this connection when another one has committed lately. A
   * connection with much to write would otherwise hold the lock nearly all the time.
   */
  async #letOthersCommit(): Promise<void> {
    const { ownThread = false, random } = this.#options;
    const now = systemClock.monotonic();
    if (!ownThread || now - this.#committedAt > LONGEST_STEP_MS) return;
    if (now - this.#othersSeenAt < OTHERS_RECENT_MS) await waitOneStep(random);
  }

  /** Notices commits of other connections since the last batch. Called within a transaction. */
  #lookForOthers(): void {
    const version = Number(this.#dataVersion.get()?.["data_version"]);
    if (version !== this.#lastDataVersion) this.#othersSeenAt = systemClock.monotonic();
    this.#lastDataVersion = version;
  }

  /**
   * Runs one batch in one transaction. Throws only when the transaction cannot begin; all writes are then still
   * pending.
   */
  #runBatch(): void {
    this.#requireFile();
    // A rollback that failed left the last transaction open.
    if (this.#db.isTransaction) this.#db.exec("ROLLBACK");
    this.#begin.run();
    try {
      // Only within the transaction the version cannot change before the commit.
      this.requireKnownSchema();
      this.#lookForOthers();
    } catch (error) {
      this.#rollBack();
      throw error;
    }
    const batch = this.#pending.splice(0, this.#batchSize);
    this.#batchSize = MAX_BATCH;
    const now = this.#now();
    const results: unknown[] = [];
    try {
      for (const { command } of batch) results.push(command(now));
    } catch (error) {
      this.#rollBack();
      // A command may fail because of earlier ones, which are not committed. They come first, and then it runs again.
      const failed = results.length === 0 ? batch.shift() : undefined;
      if (results.length > 0) this.#batchSize = results.length;
      this.#pending.unshift(...batch);
      failed?.reject(toStoreError(this.#options.description, error));
      return;
    }
    let bytes: number | null;
    try {
      bytes = this.#readSize();
      this.#commit.run();
      const { commitDelayMs = 0 } = this.#options;
      if (commitDelayMs > 0) blockThread(commitDelayMs);
    } catch (error) {
      this.#rollBack();
      for (const { reject } of batch) reject(toStoreError(this.#options.description, error));
      return;
    }
    this.#committedAt = systemClock.monotonic();
    this.#reportCommit(batch.length, bytes);
    for (const effect of this.#effects.splice(0)) effect();
    for (const [index, { resolve }] of batch.entries()) resolve(results[index]);
  }

  /** Within a transaction, the statement needs no lock of its own. `null` when nothing needs the size. */
  #readSize(): number | null {
    return this.#options.onCommit === undefined ? null : Number(this.#size.get()?.["bytes"]);
  }

  #reportCommit(commands: number, bytes: number | null): void {
    if (bytes !== null) this.#options.onCommit?.([commands, bytes]);
  }

  #rollBack(): void {
    this.#effects = [];
    try {
      // After some failures, such as a full disk, SQLite has already rolled back.
      if (this.#db.isTransaction) this.#db.exec("ROLLBACK");
    } catch {
      // Nothing is committed. The next batch tries to roll back again.
    }
  }

  /** The columns are integers, and an injected clock may return fractions. */
  #now(): number {
    return Math.floor(this.#options.clock.now());
  }

  /**
   * Throws when the file was removed or replaced. The open file then has no
   * name, so writes to it are lost when the process ends, and no other process sees them.
   */
  #requireFile(): void {
    const { file, description } = this.#options;
    if (this.#openedFile !== undefined) requireSameFile(file, this.#openedFile, description);
  }

  #closedError(): HoldfastError {
    return new HoldfastError("closed", `${this.#options.description} was closed`);
  }
}

/** Throws `store_unavailable` unless `file` still names the file that was opened. */
export function requireSameFile(
  file: string,
  opened: { readonly ino: number; readonly dev: number },
  description: string,
): void {
  const named = statSync(file, { throwIfNoEntry: false });
  if (named?.ino === opened.ino && named.dev === opened.dev) return;
  const message =
    named === undefined
      ? `${description} was removed while it was open: move it back, or restore a backup and restart`
      : `${description} was replaced while it was open: move it back, or restart to use the new file`;
  throw new HoldfastError("store_unavailable", message);
}
