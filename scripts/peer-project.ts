import { spawnSync } from "node:child_process";
import { cpSync, globSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

interface Result {
  readonly ok: boolean;
  readonly output: string;
}

/** Runs a command to its end, at most three minutes. */
function attempt(cwd: string, command: string, args: readonly string[]): Result {
  const done = spawnSync(command, args, { cwd, encoding: "utf8", timeout: 180_000 });
  return { ok: done.status === 0, output: `${done.stdout}${done.stderr}` };
}

/** Runs a command that must succeed, and returns what it printed. */
export function run(cwd: string, command: string, args: readonly string[]): string {
  const { ok, output } = attempt(cwd, command, args);
  if (!ok) throw new Error(`${command} ${args.join(" ")} failed:\n${output.slice(-4_000)}`);
  return output;
}

/** Runs a command that must fail with this text in its output. */
export function runRefused(cwd: string, text: string, command: string, args: readonly string[]): void {
  const { ok, output } = attempt(cwd, command, args);
  if (ok) throw new Error(`${command} ${args.join(" ")} passed, and must fail with "${text}"`);
  if (!output.includes(text)) {
    throw new Error(
      `${command} ${args.join(" ")} failed without the text "${text}":\n${output.slice(-4_000)}`,
    );
  }
}

/** The two packages of this repository. */
export type PackageName = "holdfast" | "holdfast-guard";

/** A project that has one of the packages and others installed. */
export interface Project {
  readonly folder: string;
  readonly name: PackageName;
}

/** Installs packages in a project of their own without `--force`. */
export function installProject(project: string, manifest: object): void {
  mkdirSync(project, { recursive: true });
  writeFileSync(join(project, "package.json"), JSON.stringify({ private: true, ...manifest }));
  run(project, "npm", ["install", "--prefer-offline", "--no-audit", "--no-fund", "--loglevel=error"]);
}

/** Returns a program or a setting that names `holdfast`, for the package of this name. */
export function renamePackage(text: string, name: PackageName): string {
  return text.replaceAll(/(?<=["/(])holdfast(?=["/|])/g, name);
}

/** Copies programs for one of the packages into a project, and installs what the manifest names. */
export function startProject(folder: string, name: PackageName, manifest: object, programs: string): Project {
  cpSync(programs, folder, { recursive: true });
  for (const file of globSync("*.{js,ts}", { cwd: folder })) {
    const path = join(folder, file);
    writeFileSync(path, renamePackage(readFileSync(path, "utf8"), name));
  }
  installProject(folder, manifest);
  return { folder, name };
}
