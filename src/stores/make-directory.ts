import { mkdir, stat } from "node:fs/promises";
import { dirname } from "node:path";

/**
 * Makes the directory and those above it (0700) unless they exist. Rejects with the error of the file system. The
 * recursive `mkdir` of Node never ends where a file system refuses a name with ENOENT, as `/proc` does.
 */
export async function makeDirectory(path: string): Promise<void> {
  try {
    await makeOne(path);
  } catch (error) {
    const parent = dirname(path);
    if ((error as { code?: unknown }).code !== "ENOENT" || parent === path) throw error;
    await makeDirectory(parent);
    await makeOne(path);
  }
}

async function makeOne(path: string): Promise<void> {
  try {
    await mkdir(path, { mode: 0o700 });
  } catch (error) {
    // Systems name the failure for a directory that exists differently.
    const existing = await stat(path).catch(() => null);
    if (existing?.isDirectory() !== true) throw error;
  }
}
