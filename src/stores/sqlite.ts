import type { Clock } from "../core/clock.ts";
import { readOptions } from "../core/options.ts";
import type { Store } from "./store.ts";
import { retryWhileBusy, SqliteConnection } from "./sqlite/connection.ts";
import { sqliteStoreOptionTable } from "./sqlite/options.ts";
import { assembleStore } from "./sqlite/store.ts";

/** Options of `sqliteStore`. */
export interface SqliteStoreOptions {
  /**
   * Path of the database file. A missing file is created, readable by its owner only. Its folder must exist.
   */
  file: string;
  /** How long a command is tried while another process holds the file's lock, ms: 0 to 60,000. Default 2,000. */
  lockTimeoutMs?: number;
  /** The store's time and deadlines. Default: the system clock. */
  clock?: Clock;
  /** Returns a number from 0 up to 1, for the jitter of retries. Default: `Math.random`. */
  random?: () => number;
}

/**
 * Opens a store in one SQLite file, for any number of processes on one machine. It uses write-ahead logging and syncs
 * every commit. Opening reads the whole file once, to find damage.
 *
 * Rejects with `invalid_option`, `store_unavailable`, `store_corrupt` or `store_newer`. The message names the file.
 *
 * @example
 * ```ts
 * import { sqliteStore } from "holdfast/sqlite";
 *
 * const store = await sqliteStore({ file: "/var/lib/holdfast/holdfast.db" });
 * ```
 */
export async function sqliteStore(options: SqliteStoreOptions): Promise<Store> {
  const settings = readOptions("sqliteStore", options, sqliteStoreOptionTable);
  const connectionOptions = {
    ...settings,
    description: `sqlite ${settings.file}`,
    // A batch ends with the turn of the event loop, when all requests that have arrived are read.
    awaitBatch: async () => await new Promise<void>((done) => setImmediate(done)),
  };
  const connection = await retryWhileBusy(connectionOptions, () => new SqliteConnection(connectionOptions));
  try {
    return assembleStore(connection, connectionOptions.description);
  } catch (error) {
    await connection.close();
    throw error;
  }
}
