import { link, open, readFile, rm, stat, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { systemEntropy } from "../../core/entropy.ts";
import { HoldfastError, isHoldfastError, systemErrorCode } from "../../core/errors.ts";
import { checkFileAccess } from "./file-access.ts";

/**
 * Reads the text of the file without its final line break. `null` when the file does not exist. Rejects with
 * `invalid_option` when other users can write to it.
 */
export async function readPrivateFile(file: string): Promise<string | null> {
  try {
    await checkFileAccess(file);
    return (await readFile(file, "utf8")).trimEnd();
  } catch (error) {
    if (systemErrorCode(error) === "ENOENT") return null;
    if (isHoldfastError(error)) throw error;
    throw new HoldfastError("store_unavailable", `${file} cannot be read (${systemErrorCode(error)})`, {
      cause: error,
    });
  }
}

/**
 * Creates the file (0600) with this text unless it exists, and returns its text. Several processes that start together
 * all get the same text.
 */
export async function claimPrivateFile(file: string, text: string): Promise<string> {
  const existing = await readPrivateFile(file);
  if (existing !== null) return existing;
  if (await createPrivateFile(file, async (draft) => await writeFile(draft, `${text}\n`))) return text;
  return (await readPrivateFile(file)) ?? text;
}

/**
 * Creates the file (0600) from a draft beside it that `write` fills. The file appears complete and on the disk, or not
 * at all. False when the file exists already, which is then unchanged.
 */
export async function createPrivateFile(
  file: string,
  write: (draft: string) => Promise<void> | void,
): Promise<boolean> {
  const draft = `${file}.${systemEntropy.bytes(6).toString("hex")}.part`;
  try {
    await (await open(draft, "wx", 0o600)).close();
    await write(draft);
    await syncToDisk(draft);
    await link(draft, file);
    await syncToDisk(dirname(file));
    return true;
  } catch (error) {
    if (systemErrorCode(error) === "EEXIST") return false;
    if (isHoldfastError(error)) throw error;
    throw new HoldfastError("store_unavailable", `${file} cannot be written (${systemErrorCode(error)})`, {
      cause: error,
    });
  } finally {
    await rm(draft, { force: true });
  }
}

/** Resolves when the contents of a file, or the names in a directory, are on the disk. */
export async function syncToDisk(path: string): Promise<void> {
  // Windows cannot open a directory, and does not need this.
  if (process.platform === "win32") return;
  const handle = await open(path, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

export async function fileExists(path: string): Promise<boolean> {
  return (await stat(path).catch(() => null)) !== null;
}
