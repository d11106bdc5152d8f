import type { Clock } from "../core/clock.ts";
import type { Entropy } from "../core/entropy.ts";
import { readOptions } from "../core/options.ts";
import type { Store } from "./store.ts";
import { createLogEpoch, openInThisThread } from "./sqlite/open.ts";
import { sqliteStoreOptionTable } from "./sqlite/options.ts";
import { openInThread } from "./sqlite/thread-store.ts";

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
  /** Makes the epoch of the log of a new file, for simulations. Default: the operating system. */
  entropy?: Entropy;
  /**
   * Whether a separate thread reads and writes the file, so that a slow disk never blocks the event loop.
   * `false` is for programs that cannot start a worker thread. Default: true.
   */
  thread?: boolean;
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
  const { thread, entropy, ...given } = settings;
  const openOptions = { ...given, newEpoch: createLogEpoch(entropy) };
  return thread ? await openInThread(openOptions) : await openInThisThread(openOptions);
}
