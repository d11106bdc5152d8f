import { closeSync, openSync, statSync, type Stats } from "node:fs";
import { DatabaseSync, type StatementSync } from "node:sqlite";
import { sleep, type Clock } from "../../core/clock.ts";
import { HoldfastError } from "../../core/errors.ts";
import { isBusy, toStoreError } from "./errors.ts";
import { checkFile, migrate } from "./schema.ts";

/** Commands in one transaction at most, so that a burst does not block the event loop for long. */
const MAX_BATCH = 128;

interface PendingWrite {
  readonly command: (nowMs: number) => unknown;
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: unknown) => void;
}

export interface SqliteConnectionOptions {
  /** Absolute path, or `:memory:`. */
  readonly file: string;
  readonly description: string;
  readonly clock: Clock;
  readonly random: () => number;
  /** How long to try while another process holds the lock. */
  readonly lockTimeoutMs: number;
  /** Resolves when the commands that arrive together have arrived. */
  readonly awaitBatch: () => Promise<void>;
}

/**
 * One connection to the file. Reads run at once. Writes that arrive in the same turn of the event loop share one
 * transaction, hence one wait for the disk, and settle after it is durable.
 */
export class SqliteConnection {
  readonly #options: SqliteConnectionOptions;
  readonly #db: DatabaseSync;
  readonly #begin: StatementSync;
  readonly #commit: StatementSync;
  /** Which file it is, whatever its name: `undefined` in memory. */
  readonly #openedFile: Stats | undefined;
  readonly #pending: PendingWrite[] = [];
  #effects: (() => void)[] = [];
  #draining: Promise<void> | null = null;
  #closed = false;

  /** Throws when the file cannot be opened; SQLite's own errors as they are, `isBusy` among them. */
  constructor(options: SqliteConnectionOptions) {
    this.#options = options;
    this.#db = openFile(options);
    this.#openedFile = this.#statFile();
    this.#begin = this.#db.prepare("BEGIN IMMEDIATE");
    this.#commit = this.#db.prepare("COMMIT");
  }

  prepare(sql: string): StatementSync {
    try {
      return this.#db.prepare(sql);
    } catch (error) {
      throw toStoreError(this.#options.description, error);
    }
  }

  /** Runs a query outside any transaction: what it returns must come from one statement. */
  async read<T>(query: (nowMs: number) => T): Promise<T> {
    if (this.#closed) throw this.#closedError();
    return await retryWhileBusy(this.#options, () => {
      this.#requireFile();
      return query(this.#now());
    });
  }

  /**
   * Runs `command`, synchronous and free of other effects than on the database, within a transaction. It may run
   * again when another command of its group failed.
   */
  async write<T>(command: (nowMs: number) => T): Promise<T> {
    if (this.#closed) throw this.#closedError();
    return await new Promise<T>((resolve, reject) => {
      this.#pending.push({ command, resolve: resolve as PendingWrite["resolve"], reject });
      this.#draining ??= this.#drain();
    });
  }

  /** From within a command: calls `effect` right after the commit, and never if there is none. */
  afterCommit(effect: () => void): void {
    this.#effects.push(effect);
  }

  /** Finishes what was accepted, then closes the file. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#draining;
    if (this.#db.isOpen) this.#db.close();
  }

  async #drain(): Promise<void> {
    while (this.#pending.length > 0) {
      await this.#options.awaitBatch();
      try {
        await retryWhileBusy(this.#options, () => this.#runBatch());
      } catch (error) {
        for (const { reject } of this.#pending.splice(0)) reject(error);
      }
    }
    this.#draining = null;
  }

  /** One group, one transaction. Throws only when that could not begin, and then nothing left the line. */
  #runBatch(): void {
    this.#requireFile();
    // Left open by a rollback that failed.
    if (this.#db.isTransaction) this.#db.exec("ROLLBACK");
    this.#begin.run();
    const batch = this.#pending.splice(0, MAX_BATCH);
    const now = this.#now();
    const results: unknown[] = [];
    try {
      for (const { command } of batch) results.push(command(now));
    } catch (error) {
      // Its own failure: it leaves, and the others go again without it.
      this.#rollBack();
      const [failed] = batch.splice(results.length, 1);
      this.#pending.unshift(...batch);
      failed?.reject(toStoreError(this.#options.description, error));
      return;
    }
    try {
      this.#commit.run();
    } catch (error) {
      this.#rollBack();
      for (const { reject } of batch) reject(toStoreError(this.#options.description, error));
      return;
    }
    for (const effect of this.#effects.splice(0)) effect();
    for (const [index, { resolve }] of batch.entries()) resolve(results[index]);
  }

  #rollBack(): void {
    this.#effects = [];
    try {
      // SQLite has already rolled back after some failures, such as a full disk.
      if (this.#db.isTransaction) this.#db.exec("ROLLBACK");
    } catch {
      // Nothing is committed, and the next transaction begins with another attempt.
    }
  }

  /** Whole milliseconds, whatever the clock that was brought. */
  #now(): number {
    return Math.floor(this.#options.clock.now());
  }

  /** The file of that name now. */
  #statFile(): Stats | undefined {
    return statSync(this.#options.file, { throwIfNoEntry: false });
  }

  /**
   * Throws when the file was removed or another put in its place. We would go on with one that has no name: what
   * we write is gone with the process, and what others write is never seen.
   */
  #requireFile(): void {
    const named = this.#openedFile && this.#statFile();
    if (named?.ino === this.#openedFile?.ino && named?.dev === this.#openedFile?.dev) return;
    const message = `${this.#options.description} was removed or replaced while it was open: put it back, or restart`;
    throw new HoldfastError("store_unavailable", message);
  }

  #closedError(): HoldfastError {
    return new HoldfastError("closed", `${this.#options.description} was closed`);
  }
}

/** Tries until the lock is free or the time is up, without blocking the event loop in between. */
export async function retryWhileBusy<T>(options: SqliteConnectionOptions, work: () => T): Promise<T> {
  const { clock, random, lockTimeoutMs, description } = options;
  const deadline = clock.monotonic() + lockTimeoutMs;
  for (let attempt = 1; ; attempt++) {
    try {
      return work();
    } catch (error) {
      if (!isBusy(error) || clock.monotonic() >= deadline) throw toStoreError(description, error);
    }
    // A commit takes less than a millisecond, and an attempt a few microseconds.
    await sleep(clock, Math.ceil(random() * Math.min(10, attempt)));
  }
}

/**
 * Opens the file, checked and of this version's schema. `exclusive` throws `isBusy` if any process has it open, and lets
 * nobody open it until it is closed.
 */
export function openFile(
  { file, description }: Pick<SqliteConnectionOptions, "file" | "description">,
  { exclusive = false }: { exclusive?: boolean } = {},
): DatabaseSync {
  const inMemory = file === ":memory:";
  // Made here, so that it is never readable by others; SQLite gives its companions the same mode.
  if (!inMemory) closeSync(openSync(file, "a", 0o600));
  // SQLite never waits for a lock by itself: it would block the event loop.
  const db = new DatabaseSync(file, { timeout: 0 });
  try {
    if (exclusive) db.exec("PRAGMA locking_mode = EXCLUSIVE");
    checkFile(db, description);
    const { journal_mode: mode } = db.prepare("PRAGMA journal_mode = WAL").get() ?? {};
    if (mode !== "wal" && !inMemory) {
      throw new HoldfastError(
        "store_unavailable",
        `${description} is on a file system without shared memory`,
      );
    }
    // FULL syncs each commit; fullfsync makes that true on macOS, where fsync stops at the drive's cache.
    db.exec("PRAGMA synchronous = FULL; PRAGMA fullfsync = ON; PRAGMA trusted_schema = OFF");
    migrate(db);
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}
