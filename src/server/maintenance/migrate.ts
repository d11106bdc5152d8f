import { HoldfastError } from "../../core/errors.ts";
import { deriveSecrets } from "../../issuer/secret-keys.ts";
import type { StoreDump } from "../../stores/dump.ts";
import { openRedisImport } from "../../stores/redis/import-dump.ts";
import { markMoved, openExclusive } from "../../stores/sqlite/offline.ts";
import { readDump } from "../../stores/sqlite/dump.ts";
import { localFiles, MOVED_MARKER, type LocalFiles } from "../store/local-store.ts";
import { fileExists, readPrivateFile } from "../store/private-file.ts";
import { readRedisOptions } from "../store/redis-access.ts";
import { loadSettings } from "../secret-files.ts";
import type { Settings } from "../settings.ts";

export interface MigrationResult {
  /** The store that holds the data now, without credentials. */
  readonly place: string;
  /** How many sessions were copied. `null` when an earlier run had finished. */
  readonly sessions: number | null;
}

/**
 * Moves everything from the embedded store to Redis, at `to` or at the address in the environment. There is at most one
 * store at any time: the file until everything is copied, then Redis. Another run finishes an interrupted move.
 */
export async function migrate(to: string | undefined): Promise<MigrationResult> {
  const { dataDir, secret = "", redis = {} } = await targetSettings(to);
  const files = localFiles(dataDir);
  if (!(await fileExists(files.data))) {
    const message = `there is no data file ${files.data}: set HOLDFAST_DATA_DIR`;
    throw new HoldfastError("store_unavailable", message);
  }
  const db = openExclusive(files.data);
  try {
    const contents = readDump(db);
    const id = await verifyStore(contents, files, secret);
    const filling = await openRedisImport(await readRedisOptions(redis));
    try {
      const place = filling.description;
      const moved = findMarker(contents, MOVED_MARKER);
      const claimed = await filling.claim(id, contents.log.end.epoch, { startIfEmpty: moved === null });
      if (claimed === "finished" && moved !== null) return { place, sessions: null };
      if (claimed !== "claimed") throw alreadyInUse(files.data, place, moved);
      const markers = contents.markers.filter(({ name }) => name !== MOVED_MARKER);
      const sessions = await filling.copy({ ...contents, markers });
      markMoved(db, place);
      await filling.finish(id);
      return { place, sessions };
    } finally {
      await filling.close();
    }
  } finally {
    db.close();
  }
}

/** Reads the settings that the services will have after the move. */
async function targetSettings(to: string | undefined): Promise<Settings> {
  if (to !== undefined && /\/\/[^/]*@/.test(to)) {
    const message =
      "--to must not contain user and password, which other users can see: put the whole URL into REDIS_URL";
    throw new HoldfastError("invalid_option", message);
  }
  const address = to === undefined ? {} : { REDIS_URL: to };
  return await loadSettings({ HOLDFAST_STORE: "redis", ...address });
}

/** Returns the id of the store. Rejects with `store_mismatch` when it belongs to another machine or secret. */
async function verifyStore(contents: StoreDump, files: LocalFiles, secret: string): Promise<string> {
  const id = findMarker(contents, "id");
  const remembered = await readPrivateFile(files.marker);
  if (id === null || findMarker(contents, "identity") === null || (remembered ?? id) !== id) {
    const message = `${files.data} is not a store that this machine has served`;
    throw new HoldfastError("store_mismatch", message);
  }
  const fingerprintInStore = findMarker(contents, "secret");
  if (deriveSecrets(secret).some(({ fingerprint }) => fingerprint === fingerprintInStore)) return id;
  const message = `HOLDFAST_SECRET is not the secret of ${files.data}; without one it is in ${files.secret}`;
  throw new HoldfastError("store_mismatch", message);
}

function findMarker({ markers }: StoreDump, wanted: string): string | null {
  return markers.find(({ name }) => name === wanted)?.value ?? null;
}

function alreadyInUse(file: string, place: string, moved: string | null): HoldfastError {
  const message =
    moved === null
      ? `${place} holds data already: a move does not replace data; choose another database`
      : `${file} was moved to ${moved} before: to move it again, restore a backup of it`;
  return new HoldfastError("store_mismatch", message);
}
