import { stat, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { HoldfastError, systemErrorCode } from "../../core/errors.ts";
import { copyDatabase } from "../../stores/sqlite/offline.ts";
import { makeDirectory } from "../../stores/make-directory.ts";
import { fileExists, createPrivateFile } from "../store/private-file.ts";
import { localFiles } from "../store/local-store.ts";
import { loadSettings } from "../secret-files.ts";
import type { Settings } from "../settings.ts";

/** Copies the data of the embedded store, which may be in use, into a new file. Resolves with its size in bytes. */
export async function backUp(to: string): Promise<number> {
  const settings = await loadSettings();
  const file = embeddedDataFile(settings);
  if (!(await fileExists(file))) {
    throw new HoldfastError("store_unavailable", `there is no data file ${file}: set HOLDFAST_DATA_DIR`);
  }
  const alreadyExists = new HoldfastError(
    "invalid_option",
    `${to} exists already: a backup does not replace a file`,
  );
  if (await fileExists(to)) throw alreadyExists;
  if (!(await createPrivateFile(to, (draft) => copyDatabase(file, draft)))) throw alreadyExists;
  await recordTime(localFiles(settings.dataDir).lastBackup);
  return (await stat(to)).size;
}

/** Records the time for the metrics of the service. The back-up is complete, whether or not the time can be written. */
async function recordTime(file: string): Promise<void> {
  try {
    await makeDirectory(dirname(file));
    await writeFile(file, "", { mode: 0o600 });
  } catch (error) {
    console.error(`the time of the back-up could not be recorded in ${file} (${systemErrorCode(error)})`);
  }
}

/** Returns the data file of the embedded store. Throws `invalid_option` for another store. */
export function embeddedDataFile({ redis, dataDir }: Settings): string {
  if (redis === undefined) return localFiles(dataDir).data;
  const message = "HOLDFAST_STORE=redis: this command is for the embedded store; use the tools of Redis";
  throw new HoldfastError("invalid_option", message);
}
