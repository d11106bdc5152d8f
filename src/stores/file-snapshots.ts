import { randomUUID } from "node:crypto";
import { mkdir, open, readFile, rename, rm } from "node:fs/promises";
import { join, resolve } from "node:path";
import { HoldfastError } from "../core/errors.ts";
import { invalidOption, rejectUnknownOptions, readString } from "../core/options.ts";
import type { Snapshots } from "./store.ts";

const NAME = /^[a-z0-9_-][a-z0-9._-]{0,127}$/;

/**
 * Snapshots as JSON files in `dir`, which is made on the first save; readable by their owner only, and as trusted
 * as configuration. A file is replaced whole or not at all.
 */
export function fileSnapshots(options: { dir: string }): Snapshots {
  rejectUnknownOptions("fileSnapshots", options, ["dir"]);
  const dir = resolve(readString("fileSnapshots: dir", options.dir));

  function fileOf(name: string): string {
    if (!NAME.test(name)) {
      throw invalidOption("snapshot name", "1 to 128 of a-z 0-9 _ - . that do not start with a dot", name);
    }
    return join(dir, `${name}.json`);
  }

  return {
    async load(name) {
      const file = fileOf(name);
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
        // The parser's own message quotes the file.
        throw new HoldfastError("store_corrupt", `the snapshot ${file} is damaged`);
      }
    },

    async save(name, value) {
      const file = fileOf(name);
      const draft = `${file}.${randomUUID()}.tmp`;
      const json = JSON.stringify(value);
      try {
        await mkdir(dir, { recursive: true, mode: 0o700 });
        await writeThrough(draft, json);
        await rename(draft, file);
      } catch (error) {
        await rm(draft, { force: true }).catch(() => undefined);
        throw unavailable(file, "written", error);
      }
    },
  };
}

/** Returns when the disk has it: a rename must not come before the contents. */
async function writeThrough(file: string, contents: string): Promise<void> {
  const handle = await open(file, "wx", 0o600);
  try {
    await handle.writeFile(contents);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function unavailable(file: string, done: string, error: unknown): HoldfastError {
  const code = String((error as { code?: unknown }).code);
  return new HoldfastError("store_unavailable", `the snapshot ${file} could not be ${done}: ${code}`, {
    cause: error,
  });
}
