import { resolve } from "node:path";
import { systemClock, type Clock } from "../core/clock.ts";
import { rejectUnknownOptions, readString, readWholeNumber } from "../core/options.ts";
import type { Store } from "./store.ts";
import { SqliteConnection, retryWhileBusy } from "./sqlite/connection.ts";
import { assembleStore } from "./sqlite/store.ts";

export interface SqliteStoreOptions {
  /** Path of the database file; made, readable by its owner only, if it is missing. Its folder must exist. */
  file: string;
  /** How long an operation tries while another process holds the file's lock, ms. Default 2,000. */
  lockTimeoutMs?: number;
  clock?: Clock;
  random?: () => number;
}

/**
 * A store in one SQLite file, for any number of processes on one machine: WAL, each commit synced. Rejects with
 * `store_unavailable`, `store_corrupt` or `store_newer`, naming the file. Opening reads the whole file once, to
 * find damage.
 *
 * ```ts
 * const store = await sqliteStore({ file: "/var/lib/holdfast/holdfast.db" });
 * ```
 */
export async function sqliteStore(options: SqliteStoreOptions): Promise<Store> {
  rejectUnknownOptions("sqliteStore", options, ["file", "lockTimeoutMs", "clock", "random"]);
  const file = resolve(readString("sqliteStore: file", options.file));
  const checked = {
    file,
    description: `sqlite ${file}`,
    lockTimeoutMs: readWholeNumber("sqliteStore: lockTimeoutMs", options.lockTimeoutMs, {
      default: 2000,
      min: 0,
      max: 60_000,
    }),
    clock: options.clock ?? systemClock,
    random: options.random ?? Math.random,
    // The end of this turn of the event loop: everything that the sockets had to say has been heard.
    awaitBatch: async () => await new Promise<void>((go) => setImmediate(go)),
  };
  const db = await retryWhileBusy(checked, () => new SqliteConnection(checked));
  try {
    return assembleStore(db, checked.description);
  } catch (error) {
    await db.close();
    throw error;
  }
}
