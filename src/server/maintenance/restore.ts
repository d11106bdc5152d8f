import { link, open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import { HoldfastError, isHoldfastError, systemErrorCode } from "../../core/errors.ts";
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
import { localFiles, makeDirectory, type LocalFiles } from "../store/local-store.ts";
import { writeAuditNote } from "../audit-note.ts";
import { fileExists, readPrivateFile, syncToDisk } from "../store/private-file.ts";
import type { ServiceIdentity } from "../service.ts";
import { readSettings } from "../settings.ts";

export interface RestoreResult {
  readonly file: string;
  /** Where the data are that stood there before. */
  readonly previous: string | null;
}

/** What SQLite keeps beside a file, and would apply to any other of that name. */
const COMPANIONS = ["-wal", "-shm", "-journal"];

/**
 * Puts a backup in the place of the data that no service uses. What happened since it was made is not in it, so
 * `keepSessions` is for when nothing did: else a spent refresh token, or an access token that was revoked, would be
 * good again. Without it every session is over and every key replaced. All or nothing, also when it is killed.
 */
export async function restore(from: string, options: { keepSessions: boolean }): Promise<RestoreResult> {
  const settings = readSettings(process.env);
  const file = embeddedDataFile(settings);
  const files = localFiles(settings.dataDir);
  if (!(await fileExists(from))) throw new HoldfastError("invalid_option", `there is no backup ${from}`);
  await makeDirectory(settings.dataDir);
  await makeDirectory(dirname(files.marker));
  const standing = await openCurrentData(file);
  const draft = `${file}.restored`;
  try {
    await removeDatabase(draft);
    await (await open(draft, "wx", 0o600)).close();
    copyDatabase(from, draft);
    resetDraft(draft, options);
    const secret = settings.secret ?? (await readPrivateFile(files.secret));
    await adoptDraft(draft, from, files, { ...options, secret, kids: listKids(standing) });
    await syncToDisk(draft);
    return { file, previous: await replaceFile(draft, file, standing) };
  } catch (error) {
    if (isHoldfastError(error) || systemErrorCode(error) === undefined) throw error;
    const message = `${file} cannot be replaced (${systemErrorCode(error)})`;
    throw new HoldfastError("store_unavailable", message, { cause: error });
  } finally {
    standing?.close();
    await removeDatabase(draft);
  }
}

/** `null` when there is none that can be read, or only by a newer version: who has a damaged one open notices the exchange. */
async function openCurrentData(file: string): Promise<DatabaseSync | null> {
  if (!(await fileExists(file))) return null;
  try {
    return openExclusive(file);
  } catch (error) {
    if (isHoldfastError(error, "store_corrupt") || isHoldfastError(error, "store_newer")) return null;
    throw error;
  }
}

function listKids(standing: DatabaseSync | null): string[] {
  const rows = standing?.prepare("SELECT kid FROM keys").all() ?? [];
  return rows.map(({ kid }) => String(kid));
}

function resetDraft(draft: string, { keepSessions }: { keepSessions: boolean }): void {
  const db = openExclusive(draft);
  try {
    renewLogEpoch(db);
    markMoved(db, null);
    if (!keepSessions) endAllSessions(db, Date.now());
  } finally {
    db.close();
  }
}

/** Makes sure that it is this machine's store under this secret, and replaces its keys and those that stood here. */
async function adoptDraft(
  draft: string,
  from: string,
  files: LocalFiles,
  how: { keepSessions: boolean; secret: string | null; kids: readonly string[] },
): Promise<void> {
  const store = await sqliteStore({ file: draft });
  try {
    const identity = await store.markers.read("identity");
    if (identity === null) throw new HoldfastError("invalid_option", `${from} was never served`);
    if (how.secret === null) {
      const todo = `put back ${files.secret}, or set HOLDFAST_SECRET`;
      throw new HoldfastError("store_mismatch", `the secret of ${from} is not on this machine: ${todo}`);
    }
    const marker = await readPrivateFile(files.marker);
    if (marker !== null && marker !== (await store.markers.read("id"))) {
      const message = `${from} is of another store than the one named in ${files.marker}: remove that to use it here`;
      throw new HoldfastError("store_mismatch", message);
    }
    const issuer = createIssuer({ ...(JSON.parse(identity) as ServiceIdentity), store, secret: how.secret });
    try {
      const keys = await issuer.keys.list();
      const kids = new Set([...keys.map(({ kid }) => kid), ...how.kids]);
      if (!how.keepSessions) for (const id of kids) await issuer.revoke({ kind: "key", id });
    } finally {
      await issuer.close();
    }
    const detail = how.keepSessions ? "sessions kept" : "sessions ended, keys replaced";
    await writeAuditNote(store, "data_restored", detail);
  } finally {
    await store.close();
  }
}

/** There is a whole file of that name at any time. What stood there is kept under another. */
async function replaceFile(
  draft: string,
  file: string,
  standing: DatabaseSync | null,
): Promise<string | null> {
  const aside = `${file}.${new Date().toISOString().replaceAll(/[:.]/g, "-")}`;
  // Into the one file goes what can; the companions of a damaged one stay with it.
  standing?.exec("PRAGMA wal_checkpoint(TRUNCATE)");
  for (const companion of COMPANIONS) {
    if (standing !== null) await rm(file + companion, { force: true });
    else if (await fileExists(file + companion)) await rename(file + companion, aside + companion);
  }
  const stood = await fileExists(file);
  if (stood) await link(file, aside);
  await rename(draft, file);
  await syncToDisk(dirname(file));
  return stood ? aside : null;
}

async function removeDatabase(file: string): Promise<void> {
  for (const suffix of ["", ...COMPANIONS]) await rm(file + suffix, { force: true });
}
