import { open, readFile, rename, rm } from "node:fs/promises";
import { join, resolve } from "node:path";
import { systemEntropy } from "../core/entropy.ts";
import { HoldfastError } from "../core/errors.ts";
import { invalidOption, option, readOptions, readString, type OptionTable } from "../core/options.ts";
import { makeDirectory } from "./make-directory.ts";
import type { Snapshots } from "./store.ts";

const NAME = /^[a-z0-9_-][a-z0-9._-]{0,127}$/;

/** Options of `fileSnapshots`. */
const fileSnapshotsOptionTable: OptionTable<{ dir: string }> = {
  dir: option((name, value) => resolve(readString(name, value))),
};

/**
 * Snapshots as JSON files in a folder. The first save creates the folder. Files are readable by their owner only, because
 * a guard trusts them as it trusts its configuration. A save replaces a file whole or not at all. The guard
 * saves shortly after a fetch, and `guard.close()` waits for that. A process that calls `process.exit()` at once saves
 * nothing.
 *
 * Throws `invalid_option`. `load` rejects with `store_corrupt` for a damaged file, and `load` and `save` reject with
 * `store_unavailable` when the file system fails.
 *
 * @example
 * ```ts
 * import { createGuard, fileSnapshots } from "holdfast";
 *
 * const guard = createGuard({
 *   issuer: "https://id.example.com",
 *   audience: "https://api.example.com",
 *   snapshots: fileSnapshots({ dir: "/var/lib/orders/holdfast" }),
 * });
 * ```
 */
export function fileSnapshots(options: { dir: string }): Snapshots {
  const { dir } = readOptions("fileSnapshots", options, fileSnapshotsOptionTable);

  function filePath(name: string): string {
    if (!NAME.test(name)) {
      throw invalidOption("snapshot name", "1 to 128 of a-z 0-9 _ - . that do not start with a dot", name);
    }
    return join(dir, `${name}.json`);
  }

  return {
    async load(name) {
      const file = filePath(name);
      let json: string;
      try {
        json = await readFile(file, "utf8");
      } catch (error) {
        if ((error as { code?: unknown }).code === "ENOENT") return null;
        throw unavailable(file, "read", error);
      }
      try {
        return JSON.parse(json) as unknown;
      } catch {
        // The parser's message would quote the content of the file.
        throw new HoldfastError("store_corrupt", `the snapshot ${file} is damaged`);
      }
    },

    async save(name, value) {
      const file = filePath(name);
      const draft = `${file}.${systemEntropy.uuid()}.tmp`;
      const json = JSON.stringify(value);
      try {
        await makeDirectory(dir);
        await writeThrough(draft, json);
        await rename(draft, file);
      } catch (error) {
        await rm(draft, { force: true }).catch(() => undefined);
        throw unavailable(file, "written", error);
      }
    },
  };
}

/** Writes a file and waits until the disk has it, so that the rename cannot precede the content. */
async function writeThrough(file: string, contents: string): Promise<void> {
  const handle = await open(file, "wx", 0o600);
  try {
    await handle.writeFile(contents);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function unavailable(file: string, action: string, error: unknown): HoldfastError {
  const code = String((error as { code?: unknown }).code);
  return new HoldfastError("store_unavailable", `the snapshot ${file} could not be ${action}: ${code}`, {
    cause: error,
  });
}
