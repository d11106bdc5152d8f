import { stat } from "node:fs/promises";
import { HoldfastError } from "../core/errors.ts";
import { copyContents } from "../stores/sqlite/alone.ts";
import { exists, makePrivate } from "./private-file.ts";
import { localFiles } from "./local-store.ts";
import { readSettings, type Settings } from "./settings.ts";

/** Copies the data of the embedded store, in use or not, into a new file. Returns its size in bytes. */
export async function backUp(to: string): Promise<number> {
  const file = embeddedFile(readSettings(process.env));
  if (!(await exists(file))) {
    throw new HoldfastError("store_unavailable", `there is no data file ${file}: set HOLDFAST_DATA_DIR`);
  }
  const taken = new HoldfastError("invalid_option", `${to} exists already: a back-up replaces nothing`);
  if (await exists(to)) throw taken;
  if (!(await makePrivate(to, (draft) => copyContents(file, draft)))) throw taken;
  return (await stat(to)).size;
}

/** Where the data is; another store than the embedded one has means of its own. */
export function embeddedFile({ redis, dataDir }: Settings): string {
  if (redis === undefined) return localFiles(dataDir).data;
  const message = "HOLDFAST_STORE=redis: this is for the embedded store; Redis has means of its own";
  throw new HoldfastError("invalid_option", message);
}
