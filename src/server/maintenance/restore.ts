import { link, open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import { systemClock } from "../../core/clock.ts";
import { HoldfastError, isHoldfastError, systemErrorCode } from "../../core/errors.ts";
import { giveUpSessions } from "../../issuer/store/given-up-sessions.ts";
import { createIssuer } from "../../issuer/create-issuer.ts";
import {
  copyDatabase,
  endAllSessions,
  markMoved,
  openExclusive,
  renewLogEpoch,
} from "../../stores/sqlite/offline.ts";
import { sqliteStore } from "../../stores/sqlite.ts";
import { embeddedDataFile } from "./backup.ts";
import { localFiles, makeStoreDirectory, type LocalFiles } from "../store/local-store.ts";
import { writeAuditNote } from "../audit-note.ts";
import { fileExists, readPrivateFile, syncToDisk } from "../store/private-file.ts";
import type { ServiceIdentity } from "../service.ts";
import { loadSettings } from "../secret-files.ts";

export interface RestoreResult {
  readonly file: string;
  /** The file with the previous data. `null` when no file was there. */
  readonly previous: string | null;
}

/** The files that SQLite keeps beside a data file, and would apply to another file of the same name. */
const COMPANIONS = ["-wal", "-shm", "-journal"];

/**
 * Replaces the data by a backup. No service may use the data. The backup lacks everything that happened since: with
 * `keepSessions` a spent refresh token or a revoked access token would be good again. Otherwise every session ends and
 * every key is replaced. The result is complete or nothing, also after a kill.
 */
export async function restore(from: string, options: { keepSessions: boolean }): Promise<RestoreResult> {
  const settings = await loadSettings();
  const file = embeddedDataFile(settings);
  const files = localFiles(settings.dataDir);
  if (!(await fileExists(from))) throw new HoldfastError("invalid_option", `there is no backup ${from}`);
  await makeStoreDirectory(settings.dataDir);
  await makeStoreDirectory(dirname(files.marker));
  const current = await openCurrentData(file);
  const draft = `${file}.restored`;
  try {
    await removeDatabase(draft);
    await (await open(draft, "wx", 0o600)).close();
    copyDatabase(from, draft);
    resetDraft(draft, options);
    const secret = settings.secret ?? (await readPrivateFile(files.secret));
    await adoptDraft(draft, from, files, { ...options, secret, kids: listKids(current) });
    await syncToDisk(draft);
    return { file, previous: await replaceFile(draft, file, current) };
  } catch (error) {
    if (isHoldfastError(error) || systemErrorCode(error) === undefined) throw error;
    const message = `${file} cannot be replaced (${systemErrorCode(error)})`;
    throw new HoldfastError("store_unavailable", message, { cause: error });
  } finally {
    current?.close();
    await removeDatabase(draft);
  }
}

/**
 * Opens the current data exclusively. `null` when the file is missing or damaged, or when a newer version wrote
 * it. A service that has a damaged file open notices the exchange.
 */
async function openCurrentData(file: string): Promise<DatabaseSync | null> {
  if (!(await fileExists(file))) return null;
  try {
    return openExclusive(file);
  } catch (error) {
    if (isHoldfastError(error, "store_corrupt") || isHoldfastError(error, "store_newer")) return null;
    throw error;
  }
}

function listKids(current: DatabaseSync | null): string[] {
  const rows = current?.prepare("SELECT kid FROM keys").all() ?? [];
  return rows.map(({ kid }) => String(kid));
}

function resetDraft(draft: string, { keepSessions }: { keepSessions: boolean }): void {
  const db = openExclusive(draft);
  try {
    renewLogEpoch(db);
    markMoved(db, null);
    if (!keepSessions) endAllSessions(db, systemClock.now());
  } finally {
    db.close();
  }
}

/** Checks that the draft belongs to this machine and secret. Then it revokes the keys of the draft and of the current data. */
async function adoptDraft(
  draft: string,
  from: string,
  files: LocalFiles,
  how: { keepSessions: boolean; secret: string | null; kids: readonly string[] },
): Promise<void> {
  const store = await sqliteStore({ file: draft });
  try {
    const identity = await store.markers.read("identity");
    if (identity === null) throw new HoldfastError("invalid_option", `${from} has never been served`);
    if (how.secret === null) {
      const todo = `put back ${files.secret}, or set HOLDFAST_SECRET`;
      throw new HoldfastError("store_mismatch", `the secret of ${from} is not on this machine: ${todo}`);
    }
    const marker = await readPrivateFile(files.marker);
    if (marker !== null && marker !== (await store.markers.read("id"))) {
      const message = `${from} belongs to another store than ${files.marker} names: remove that file to use it here`;
      throw new HoldfastError("store_mismatch", message);
    }
    const issuer = createIssuer({ ...(JSON.parse(identity) as ServiceIdentity), store, secret: how.secret });
    try {
      const keys = await issuer.keys.list();
      const kids = new Set([...keys.map(({ kid }) => kid), ...how.kids]);
      if (!how.keepSessions) {
        for (const id of kids) await issuer.revoke({ kind: "key", id });
        // No refresh token is good any longer, whichever secret made it.
        await issuer.forgetSecrets();
      }
    } finally {
      await issuer.close();
    }
    // The sessions that began after the backup have ended, too. They are not lost.
    if (!how.keepSessions) await giveUpSessions(store, systemClock.now());
    const detail = how.keepSessions ? "sessions kept" : "sessions ended, keys replaced";
    await writeAuditNote(store, "data_restored", detail);
  } finally {
    await store.close();
  }
}

/** Puts the draft in the place of the data. A complete file exists at any time. The previous one gets another name. */
async function replaceFile(
  draft: string,
  file: string,
  current: DatabaseSync | null,
): Promise<string | null> {
  const aside = `${file}.${new Date().toISOString().replaceAll(/[:.]/g, "-")}`;
  // A readable file takes over its companions. A damaged file keeps them beside it.
  current?.exec("PRAGMA wal_checkpoint(TRUNCATE)");
  for (const companion of COMPANIONS) {
    if (current !== null) await rm(file + companion, { force: true });
    else if (await fileExists(file + companion)) await rename(file + companion, aside + companion);
  }
  const existed = await fileExists(file);
  if (existed) await link(file, aside);
  await rename(draft, file);
  await syncToDisk(dirname(file));
  return existed ? aside : null;
}

async function removeDatabase(file: string): Promise<void> {
  for (const suffix of ["", ...COMPANIONS]) await rm(file + suffix, { force: true });
}
