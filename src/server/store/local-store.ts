import { stat } from "node:fs/promises";
import { join } from "node:path";
import { systemEntropy, type Entropy } from "../../core/entropy.ts";
import { HoldfastError, isHoldfastError, systemErrorCode } from "../../core/errors.ts";
import { makeDirectory } from "../../stores/make-directory.ts";
import type { Store } from "../../stores/store.ts";
import { sqliteStore } from "../../stores/sqlite.ts";
import { systemPlatform, type Platform } from "../platform.ts";
import { claimPrivateFile, readPrivateFile } from "./private-file.ts";

/** An open store, the secret that seals its contents, and the files of this machine. */
export interface OpenedStore {
  readonly store: Store;
  readonly secret: string;
  readonly files: LocalFiles;
  /** No process has used this store before. */
  readonly isNew: boolean;
}

/**
 * The files of this machine. Secret and marker are beside the data directory and never in it. A copy of the data alone
 * therefore opens nothing, and the service notices a lost data directory.
 */
export interface LocalFiles {
  readonly data: string;
  readonly secret: string;
  /** The file with the id of the store that this machine uses. */
  readonly marker: string;
  /** The directory of the guard's snapshots: the last good keys and the last revocation view. */
  readonly snapshots: string;
  /** The directory where the processes of the service announce their admin listeners. */
  readonly processes: string;
  /** The file with the generated password of the first user. */
  readonly password: string;
  /** The file with the generated token of the admin listener. */
  readonly adminToken: string;
  /** The empty file that the last successful back-up has touched. */
  readonly lastBackup: string;
}

/** The marker of a store whose contents were moved. Its value describes the new store. */
export const MOVED_MARKER = "moved";

export function localFiles(dataDir: string): LocalFiles {
  const local = `${dataDir}.local`;
  return {
    data: join(dataDir, "holdfast.db"),
    secret: join(local, "secret"),
    marker: join(local, "store"),
    snapshots: join(local, "snapshots"),
    processes: join(local, "processes"),
    password: join(local, "admin-password"),
    adminToken: join(local, "admin-token"),
    lastBackup: join(local, "last-backup"),
  };
}

/**
 * Opens the store in `dataDir`. `create` makes the store when this machine never had one. Rejects with
 * `store_emptied` when the store of this machine is gone, and with `store_mismatch` when the secret is missing. Without
 * a configured `secret` a file keeps the secret, which is generated with the store.
 */
export async function openLocalStore(
  dataDir: string,
  options: { create: boolean; secret: string | undefined },
  { clock, random, entropy }: Platform = systemPlatform,
): Promise<OpenedStore> {
  const files = localFiles(dataDir);
  const marker = await readPrivateFile(files.marker);
  const present = ((await stat(files.data).catch(() => null))?.size ?? 0) > 0;
  if (!present && marker !== null) throw storeEmptied(files);
  if (!present && !options.create) {
    const todo = "start the service once, or set HOLDFAST_DATA_DIR to where its data is";
    throw new HoldfastError("store_unavailable", `there is no data file ${files.data}: ${todo}`);
  }
  await makeStoreDirectory(dataDir);
  await makeStoreDirectory(`${dataDir}.local`);
  const store = await sqliteStore({ file: files.data, clock, random, entropy }).catch((error: unknown) => {
    throw nameUnwritable(error, dataDir);
  });
  try {
    // The id is read before the secret, because a process writes the secret before it claims an id.
    const id = await store.markers.read("id");
    if (marker !== null && id !== marker) throw storeEmptied(files);
    const moved = await store.markers.read(MOVED_MARKER);
    if (moved !== null) {
      const todo = "set HOLDFAST_STORE=redis; to go back, restore a backup";
      throw new HoldfastError("store_emptied", `the data in ${files.data} were moved to ${moved}: ${todo}`);
    }
    const secret = options.secret ?? (await localSecret(files, id === null, entropy));
    if (!(await claimStore(store, files, entropy))) throw storeEmptied(files);
    return { store, secret, files, isNew: id === null };
  } catch (error) {
    await store.close();
    throw error;
  }
}

/** Gives the store an id unless it has one, and records the id on this machine. False when another id is recorded. */
export async function claimStore(
  store: Store,
  files: LocalFiles,
  entropy: Entropy = systemEntropy,
): Promise<boolean> {
  const id = await store.markers.claim("id", entropy.uuid());
  return (await claimPrivateFile(files.marker, id)) === id;
}

async function localSecret(files: LocalFiles, isNew: boolean, entropy: Entropy): Promise<string> {
  if (isNew) return await claimPrivateFile(files.secret, entropy.bytes(32).toString("base64url"));
  const secret = await readPrivateFile(files.secret);
  if (secret !== null) return secret;
  const todo = `put back ${files.secret}, or set HOLDFAST_SECRET`;
  throw new HoldfastError("store_mismatch", `the secret of ${files.data} is not on this machine: ${todo}`);
}

function storeEmptied({ data, marker }: LocalFiles): HoldfastError {
  return new HoldfastError(
    "store_emptied",
    `${data} is missing, empty, or not the store that ${marker} names. Restore it from a backup; ` +
      `or remove ${marker} to start with the store as it is, which may have no user and no session`,
  );
}

/** Matches the codes of a file that this process may not write. */
const UNWRITABLE = /: (?:EACCES|EROFS|EPERM|SQLITE_READONLY)\b/;

/** Adds what to do to an error about a file that this process may not write. Returns other errors unchanged. */
function nameUnwritable(error: unknown, dataDir: string): unknown {
  if (!isHoldfastError(error, "store_unavailable") || !UNWRITABLE.test(error.message)) return error;
  const advice = `the user of this process must be able to write in ${dataDir} and to the files in it`;
  const todo = "correct the owner, the mode or the mount, or set HOLDFAST_DATA_DIR to another directory";
  return new HoldfastError(error.code, `${error.message}: ${advice}; ${todo}`, { cause: error });
}

export async function makeStoreDirectory(path: string): Promise<void> {
  try {
    await makeDirectory(path);
  } catch (error) {
    const message = `${path} must be a writable directory (${systemErrorCode(error)})`;
    throw new HoldfastError("store_unavailable", message, { cause: error });
  }
}
