import { HoldfastError } from "../../core/errors.ts";
import { deriveSecrets } from "../../issuer/secret-keys.ts";
import type { StoreDump } from "../../stores/dump.ts";
import { openRedisImport } from "../../stores/redis/import.ts";
import { markMoved, openExclusive } from "../../stores/sqlite/offline.ts";
import { readDump } from "../../stores/sqlite/dump.ts";
import { localFiles, MOVED_MARKER, type LocalFiles } from "../store/local-store.ts";
import { fileExists, readPrivateFile } from "../store/private-file.ts";
import { readSettings, type Settings } from "../settings.ts";

export interface MigrationResult {
  /** Where the data are now; without credentials. */
  readonly place: string;
  /** How many sessions were copied; `null` when all was done before. */
  readonly sessions: number | null;
}

/**
 * Moves everything from the embedded store to the Redis that the environment names, or to `to`. There is one store at
 * any time: the file until all is copied, none while it changes, then Redis. What was given up is done by another run.
 */
export async function migrate(to: string | undefined): Promise<MigrationResult> {
  const { dataDir, secret = "", redis = {} } = targetSettings(to);
  const files = localFiles(dataDir);
  if (!(await fileExists(files.data))) {
    const message = `there is no data file ${files.data}: set HOLDFAST_DATA_DIR`;
    throw new HoldfastError("store_unavailable", message);
  }
  const db = openExclusive(files.data);
  try {
    const contents = readDump(db);
    const id = await verifyStore(contents, files, secret);
    const filling = await openRedisImport(redis);
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

/** Those that the services will have. */
function targetSettings(to: string | undefined): Settings {
  if (to !== undefined && /\/\/[^/]*@/.test(to)) {
    const message = "--to must be without user and password, others see it: put the whole URL into REDIS_URL";
    throw new HoldfastError("invalid_option", message);
  }
  const address = to === undefined ? {} : { REDIS_URL: to };
  return readSettings({ ...process.env, HOLDFAST_STORE: "redis", ...address });
}

/** Its id, if it is the store of this machine and of the secret. */
async function verifyStore(contents: StoreDump, files: LocalFiles, secret: string): Promise<string> {
  const id = findMarker(contents, "id");
  const remembered = await readPrivateFile(files.marker);
  if (id === null || findMarker(contents, "identity") === null || (remembered ?? id) !== id) {
    const message = `${files.data} is not a store that was served on this machine`;
    throw new HoldfastError("store_mismatch", message);
  }
  const standing = findMarker(contents, "secret");
  if (deriveSecrets(secret).some(({ fingerprint }) => fingerprint === standing)) return id;
  const message = `HOLDFAST_SECRET is not the secret of ${files.data}; without one it is in ${files.secret}`;
  throw new HoldfastError("store_mismatch", message);
}

function findMarker({ markers }: StoreDump, wanted: string): string | null {
  return markers.find(({ name }) => name === wanted)?.value ?? null;
}

function alreadyInUse(file: string, place: string, moved: string | null): HoldfastError {
  const message =
    moved === null
      ? `${place} holds data already: a move replaces nothing; choose another database`
      : `${file} was moved to ${moved} before: to move it once more, restore a backup of it`;
  return new HoldfastError("store_mismatch", message);
}
