import { spawnSync } from "node:child_process";
import { cpSync, writeFileSync } from "node:fs";
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

/** Installs packages in a project of their own without `--force`. `programs` is a folder whose files are copied there. */
export function installProject(project: string, manifest: object, programs?: string): void {
  if (programs !== undefined) cpSync(programs, project, { recursive: true });
  writeFileSync(join(project, "package.json"), JSON.stringify({ private: true, ...manifest }));
  run(project, "npm", ["install", "--prefer-offline", "--no-audit", "--no-fund", "--loglevel=error"]);
}
