import { randomBytes } from "node:crypto";
import { link, open, readFile, rm } from "node:fs/promises";
import { HoldfastError } from "../core/errors.ts";
import { errnoOf } from "./errno.ts";

/** The file's text without its last line break; `null` when there is none. */
export async function readPrivate(file: string): Promise<string | null> {
  try {
    return (await readFile(file, "utf8")).trimEnd();
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return null;
    throw new HoldfastError("store_unavailable", `${file} cannot be read (${errnoOf(error)})`, {
      cause: error,
    });
  }
}

/**
 * Makes the file (0600) with this text unless it exists, and returns what it holds then. It appears whole or not
 * at all: of several processes that start at once, all see the same text.
 */
export async function claimPrivate(file: string, text: string): Promise<string> {
  const existing = await readPrivate(file);
  if (existing !== null) return existing;
  const draft = `${file}.${randomBytes(6).toString("hex")}`;
  try {
    const handle = await open(draft, "wx", 0o600);
    try {
      await handle.writeFile(`${text}\n`);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await link(draft, file);
    return text;
  } catch (error) {
    const winner = errnoOf(error) === "EEXIST" ? await readPrivate(file) : null;
    if (winner !== null) return winner;
    throw new HoldfastError("store_unavailable", `${file} cannot be written (${errnoOf(error)})`, {
      cause: error,
    });
  } finally {
    await rm(draft, { force: true });
  }
}
