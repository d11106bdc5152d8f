import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** The path of a file in the repository. */
export const fromRoot = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url));

export const readFromRoot = (path: string): string => readFileSync(fromRoot(path), "utf8");

/** The reason to skip a test that needs the program, or `false`. */
export function isProgramMissing(name: string, versionFlag = "--version"): string | false {
  return spawnSync(name, [versionFlag]).status === 0 ? false : `${name} is not installed`;
}
