import { awaitTurn, systemClock, type Clock } from "../../core/clock.ts";
import { systemRandom, type Entropy } from "../../core/entropy.ts";
import type { Store } from "../store.ts";
import { CommitCounts, type Commit } from "./commit-counts.ts";
import { SqliteConnection } from "./connection.ts";
import { retryWhileBusy } from "./lock-wait.ts";
import { assembleWatchedStore, type WatchedStore } from "./store.ts";

/** How a file is opened in the current thread. */
export interface OpenOptions {
  /** Absolute path. */
  readonly file: string;
  readonly lockTimeoutMs: number;
  readonly clock?: Clock;
  readonly random?: () => number;
  /** The epoch of the log, for a file that does not exist yet. Default: SQLite makes it. */
  readonly newEpoch?: string;
  /** Whether the current thread does nothing else. */
  readonly ownThread?: boolean;
  /** For tests and benchmarks: how long each commit blocks its thread, ms. */
  readonly commitDelayMs?: number;
  /** Called at the opening, and after each commit. */
  readonly onCommit?: (commit: Commit) => void;
}

/** Makes the epoch of a new log: 32 hexadecimal digits. */
export function createLogEpoch(entropy: Entropy): string {
  return entropy.bytes(16).toString("hex");
}

/** The name of the store in messages. */
export function describeFile(file: string): string {
  return `sqlite ${file}`;
}

/** Opens the store in the current thread. Rejects with `store_unavailable`, `store_corrupt` or `store_newer`. */
export async function openInThisThread(options: OpenOptions): Promise<Store> {
  const counts = new CommitCounts(describeFile(options.file));
  const { store } = await openWatchedStore({ ...options, onCommit: (commit) => counts.record(commit) });
  return { ...store, metrics: () => counts.metrics() };
}

/** Opens the store as `openInThisThread` does. */
export async function openWatchedStore({
  clock = systemClock,
  random = systemRandom,
  ...options
}: OpenOptions): Promise<WatchedStore> {
  const connectionOptions = {
    ...options,
    clock,
    random,
    description: describeFile(options.file),
    // A batch ends with the turn of the event loop, when all requests that have arrived are read.
    awaitBatch: async () => await awaitTurn(clock),
  };
  const connection = await retryWhileBusy(connectionOptions, () => new SqliteConnection(connectionOptions));
  try {
    return assembleWatchedStore(connection, connectionOptions.description);
  } catch (error) {
    await connection.close();
    throw error;
  }
}
