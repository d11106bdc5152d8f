import { rmSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { HoldfastError } from "../../core/errors.ts";
import { openFile } from "./connection.ts";
import { isBusy, toStoreError } from "./errors.ts";
import { checkFile } from "./schema.ts";

/*
 * What is done to a file as a whole. Synchronous: for programs that do nothing else meanwhile.
 */

/** How long a copy waits for whoever is just opening or closing the file. */
const COPY_LOCK_MS = 5000;

const describeFile = (file: string) => `sqlite ${file}`;

/** Keeps every other process out until it is closed. Throws `store_unavailable` while one has the file open. */
export function openExclusive(file: string): DatabaseSync {
  const description = describeFile(file);
  try {
    return openFile({ file, description }, { exclusive: true });
  } catch (error) {
    if (!isBusy(error)) throw toStoreError(description, error);
    const message = `${description} is in use: stop every service and command on it first`;
    throw new HoldfastError("store_unavailable", message, { cause: error });
  }
}

/**
 * Copies the file as it stands at one moment into `to`, which is empty; whoever uses it goes on meanwhile. What was
 * erased is not copied. Reads all of it, to find damage.
 */
export function copyDatabase(file: string, to: string): void {
  const description = describeFile(file);
  try {
    const db = new DatabaseSync(file, { timeout: COPY_LOCK_MS });
    try {
      checkFile(db, description);
      db.prepare("VACUUM INTO ?").run(to);
    } finally {
      db.close();
    }
  } catch (error) {
    // SQLite leaves it where the disk is full.
    rmSync(`${to}-journal`, { force: true });
    throw toStoreError(`the copy of ${file} to ${to}`, error);
  }
}

/** The log is another from now on: whoever followed it takes a snapshot. */
export function renewLogEpoch(db: DatabaseSync): void {
  db.exec("UPDATE log SET epoch = lower(hex(randomblob(16)))");
}

/** Where another store holds the contents from now on; `null`: this one does. */
export function markMoved(db: DatabaseSync, to: string | null): void {
  if (to === null) db.exec("DELETE FROM markers WHERE name = 'moved'");
  else db.prepare("INSERT INTO markers VALUES ('moved', ?) ON CONFLICT DO NOTHING").run(to);
}

/** As `endSession` of ../refresh-rotation.ts. It appends nothing: their access tokens are up to the caller. */
export function endAllSessions(db: DatabaseSync, nowMs: number): void {
  db.prepare(
    `UPDATE sessions SET currentDigest = '', previousDigest = NULL, sealedSuccessor = NULL, endedAt = ?,
      endReason = 'revoked' WHERE endedAt IS NULL`,
  ).run(nowMs);
}
