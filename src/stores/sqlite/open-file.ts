import { closeSync, openSync } from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { HoldfastError } from "../../core/errors.ts";
import { checkFile, migrate, MIGRATIONS } from "./schema.ts";

interface FileOptions {
  /** Absolute path, or `:memory:`. */
  readonly file: string;
  /** The name of the store in messages. */
  readonly description: string;
  /** The epoch of the log, for a file that does not exist yet. Default: SQLite makes it. */
  readonly newEpoch?: string | undefined;
}

/**
 * Opens and checks the file, and migrates it to this version's schema. With `exclusive` no other process can open it
 * until it is closed; the function throws an `isBusy` error when another process has it open.
 */
export function openFile(
  { file, description, newEpoch }: FileOptions,
  { exclusive = false }: { exclusive?: boolean } = {},
): DatabaseSync {
  const inMemory = file === ":memory:";
  if (!inMemory) createPrivateFile(file, description);
  // The timeout is 0, because SQLite would block the event loop while it waits for a lock.
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
    // FULL syncs each commit. On macOS that takes fullfsync, because fsync stops at the cache of the drive.
    db.exec("PRAGMA synchronous = FULL; PRAGMA fullfsync = ON; PRAGMA trusted_schema = OFF");
    migrate(db, MIGRATIONS, newEpoch);
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}

/** Creates a missing file with this mode, so that other users can never read it. SQLite gives its companion files the same mode. */
function createPrivateFile(file: string, description: string): void {
  try {
    closeSync(openSync(file, "a", 0o600));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    // The folder is not created: with a wrong path, a guard would read the revocations of a new and empty store.
    const what = `the folder ${dirname(file)} does not exist. Create it, or correct the path`;
    throw new HoldfastError("store_unavailable", `${description} cannot be used: ${what}`, { cause: error });
  }
}
