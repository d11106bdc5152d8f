import { randomBytes } from "node:crypto";
import { link, open, readFile, rm, stat, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { HoldfastError, isHoldfastError, systemErrorCode } from "../../core/errors.ts";

/** The file's text without its last line break; `null` when there is none. */
export async function readPrivateFile(file: string): Promise<string | null> {
  try {
    return (await readFile(file, "utf8")).trimEnd();
  } catch (error) {
    if (systemErrorCode(error) === "ENOENT") return null;
    throw new HoldfastError("store_unavailable", `${file} cannot be read (${systemErrorCode(error)})`, {
      cause: error,
    });
  }
}

/**
 * Makes the file (0600) with this text unless it exists, and returns what it holds then: of several processes that
 * start at once, all see the same text.
 */
export async function claimPrivateFile(file: string, text: string): Promise<string> {
  const existing = await readPrivateFile(file);
  if (existing !== null) return existing;
  if (await createPrivateFile(file, async (draft) => await writeFile(draft, `${text}\n`))) return text;
  return (await readPrivateFile(file)) ?? text;
}

/**
 * Makes the file (0600) of what `write` puts into an empty draft beside it. It appears whole, on the disk, or not at
 * all. False when there is one of that name: it stays as it is.
 */
export async function createPrivateFile(
  file: string,
  write: (draft: string) => Promise<void> | void,
): Promise<boolean> {
  const draft = `${file}.${randomBytes(6).toString("hex")}.part`;
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

/** Returns when the disk has what was written to the file, or the names in the directory. */
export async function syncToDisk(path: string): Promise<void> {
  // Windows opens no directory, and needs no such care for names.
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
