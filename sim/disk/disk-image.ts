import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** The name of the database in its folder. */
const FILE = "holdfast.db";
/** A disk writes sectors of this size as a whole, bytes. */
const SECTOR = 512;

/** The contents of a database and of its write-ahead log. */
export interface DiskImage {
  readonly database: Buffer;
  readonly log: Buffer;
}

/** Returns the path of the database in a folder. */
export function databasePath(folder: string): string {
  return join(folder, FILE);
}

function readIfThere(path: string): Buffer {
  return existsSync(path) ? readFileSync(path) : Buffer.alloc(0);
}

/** Reads the files as they are now, durable or not. */
export function readImage(folder: string): DiskImage {
  const path = databasePath(folder);
  return { database: readIfThere(path), log: readIfThere(`${path}-wal`) };
}

/** Writes the files to a folder. The index of the log is not on the disk: SQLite builds it from the log. */
export function writeImage(folder: string, { database, log }: DiskImage): void {
  mkdirSync(folder, { recursive: true });
  writeFileSync(databasePath(folder), database, { mode: 0o600 });
  if (log.length > 0) writeFileSync(`${databasePath(folder)}-wal`, log, { mode: 0o600 });
}

/** How much of the unsynced bytes reaches the disk before the power fails. */
export type Tear = "prefix" | "sectors";

/**
 * Returns what a power failure leaves of a file that was `before` at the last sync and is `after` now. `prefix` cuts the
 * new bytes anywhere, and `sectors` loses each changed sector by chance, because a disk writes in any order.
 */
export function tear(before: Buffer, after: Buffer, how: Tear, random: () => number): Buffer {
  return how === "prefix" ? tearPrefix(before, after, random) : tearSectors(before, after, random);
}

function tearPrefix(before: Buffer, after: Buffer, random: () => number): Buffer {
  const changed = firstDifference(before, after);
  const end = changed + Math.floor(random() * (after.length - changed + 1));
  // The file may have been overwritten in place, and the old bytes behind the cut stay then.
  return Buffer.concat([after.subarray(0, end), before.subarray(end)]);
}

function tearSectors(before: Buffer, after: Buffer, random: () => number): Buffer {
  const keep = random();
  const torn = Buffer.alloc(after.length);
  before.copy(torn, 0, 0, Math.min(before.length, after.length));
  for (let at = 0; at < after.length; at += SECTOR) {
    if (random() < keep) after.copy(torn, at, at, at + SECTOR);
  }
  return torn;
}

function firstDifference(one: Buffer, other: Buffer): number {
  const length = Math.min(one.length, other.length);
  for (let at = 0; at < length; at++) if (one[at] !== other[at]) return at;
  return length;
}
