import { DatabaseSync } from "node:sqlite";
import type { Clock } from "../../src/core/clock.ts";
import type { Entropy } from "../../src/core/entropy.ts";
import { SqliteConnection } from "../../src/stores/sqlite/connection.ts";
import { isBusy } from "../../src/stores/sqlite/errors.ts";
import { createLogEpoch } from "../../src/stores/sqlite/open.ts";
import { assembleStore } from "../../src/stores/sqlite/store.ts";
import type { Store } from "../../src/stores/store.ts";
import type { SimulatedDisk } from "../disk/simulated-disk.ts";
import { later } from "../later.ts";

/** The process that opens the store. */
export interface SqliteProcess {
  readonly clock: Clock;
  readonly random: () => number;
  readonly entropy: Entropy;
}

/** How the disk treats a connection. All members can be changed while the store is open. */
export interface DiskConditions {
  /** How long the disk takes for a commit, ms. */
  readonly commitMs: () => number;
  /** Called when the power failed within a commit, whose writes are not acknowledged then. `lost` are the lost commits. */
  readonly onPowerFailure: (lost: readonly number[]) => void;
}

/** Pages that the file may have while the disk is not full. It is the limit of SQLite. */
const MAX_PAGES = 4_294_967_294;
/** Pages in the log that begin a checkpoint. The default of 1,000 would make checkpoints rare in a short run. */
const CHECKPOINT_PAGES = 40;
/** The value of `PRAGMA synchronous`. */
const FULL = 2;
const LOCK_TIMEOUT_MS = 5000;

/** The store of the package on a simulated disk. */
export interface SimulatedSqliteStore {
  readonly store: Store;
  /** Lets SQLite find the disk full, or not. */
  readonly setFull: (isFull: boolean) => void;
}

/** Opens the store of the package in this thread, as it is at this moment on the disk. */
export function openSimulatedSqliteStore(
  disk: SimulatedDisk,
  { clock, random, entropy }: SqliteProcess,
  conditions: DiskConditions,
): SimulatedSqliteStore {
  const description = "sqlite on a simulated disk";
  const connection = new SqliteConnection({
    file: disk.file,
    description,
    clock,
    random,
    lockTimeoutMs: LOCK_TIMEOUT_MS,
    newEpoch: createLogEpoch(entropy),
    async awaitBatch() {
      await new Promise<void>((done) => later(clock, conditions.commitMs(), done));
      disk.beginCommit();
    },
    onCommit() {
      const lost = disk.endCommit();
      if (lost !== null) conditions.onPowerFailure(lost);
    },
  });
  const readPragma = (name: string) => Number(connection.prepare(`PRAGMA ${name}`).get()?.[name]);
  const setPragma = (name: string, value: number) =>
    void connection.prepare(`PRAGMA ${name} = ${value}`).get();
  setPragma("wal_autocheckpoint", CHECKPOINT_PAGES);
  // Only FULL syncs the log at each commit. All that another mode acknowledges is in the cache of the disk.
  if (readPragma("synchronous") !== FULL) disk.lie();
  return {
    store: assembleStore(connection, description),
    setFull: (isFull) => setPragma("max_page_count", isFull ? readPragma("page_count") : MAX_PAGES),
  };
}

/**
 * Takes the lock for writes, as another process does. The returned function releases it. Nothing happens while an earlier
 * fault of this kind still has the lock.
 */
export function lockFile({ file }: SimulatedDisk): () => void {
  const other = new DatabaseSync(file, { timeout: 0 });
  try {
    other.exec("BEGIN IMMEDIATE");
  } catch (error) {
    other.close();
    if (!isBusy(error)) throw error;
    return () => undefined;
  }
  return () => other.close();
}
