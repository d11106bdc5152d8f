import { rmSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { HoldfastError } from "../../core/errors.ts";
import { insertInto, MARKER_COLUMNS } from "./columns.ts";
import { isBusy, toStoreError } from "./errors.ts";
import { openFile } from "./open-file.ts";
import { checkFile } from "./schema.ts";

/*
 * Operations on a whole file. They are synchronous, for commands that do nothing else while they run.
 */

/** How long a copy waits for a process that is opening or closing the file. */
const COPY_LOCK_MS = 5000;

const describeFile = (file: string) => `sqlite ${file}`;

/** Opens the file exclusively. Throws `store_unavailable` when another process has it open. */
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
 * Copies the state of the file at one moment into the empty file `to`, while other processes keep using it. Erased rows
 * are not copied. The function reads the whole file first, to find damage.
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
    // SQLite leaves this file behind when the disk is full.
    rmSync(`${to}-journal`, { force: true });
    throw toStoreError(`the copy of ${file} to ${to}`, error);
  }
}

/** Gives the log a new epoch, so that every reader of the log takes a snapshot. */
export function renewLogEpoch(db: DatabaseSync): void {
  db.exec("UPDATE log SET epoch = lower(hex(randomblob(16)))");
}

/** Records the location that the contents moved to. `null` when this file holds the contents again. */
export function markMoved(db: DatabaseSync, to: string | null): void {
  if (to === null) db.exec("DELETE FROM markers WHERE name = 'moved'");
  else db.prepare(`${insertInto("markers", MARKER_COLUMNS)} ON CONFLICT DO NOTHING`).run("moved", to);
}

/** Does in SQL what `endSession` does to one record. It appends no revocation; the caller revokes the access tokens. */
export function endAllSessions(db: DatabaseSync, nowMs: number): void {
  db.prepare(
    `UPDATE sessions SET currentDigest = '', previousDigest = NULL, sealedSuccessor = NULL, endedAt = ?,
      endReason = 'revoked' WHERE endedAt IS NULL`,
  ).run(nowMs);
}
