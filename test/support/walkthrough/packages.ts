import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import {
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { waitUntil } from "../deadline.ts";

const run = promisify(execFile);
const root = fileURLToPath(new URL("../../..", import.meta.url));
const cache = join(root, "node_modules/.cache/holdfast-packed");
/** How long the build and the packing of another process may take on a busy machine. */
const PACK_MS = 300_000;

/** Whether the package registry can be reached. On CI it must be. */
export async function isRegistryOnline(): Promise<boolean> {
  const isOnline = await run("npm", ["view", "fastest-levenshtein@1.0.16", "version", "--prefer-offline"], {
    cwd: tmpdir(),
  }).then(
    () => true,
    () => false,
  );
  if (!isOnline && process.env["CI"] === "true") throw new Error("the package registry cannot be reached");
  return isOnline;
}

/**
 * Packs the package as a release does. Resolves with the path of the tarball. The test files of a run share it, because a
 * build empties `dist` for the others.
 */
export async function packPackage(): Promise<string> {
  const folder = join(cache, hashSources());
  const tarball = join(folder, "holdfast.tgz");
  if (existsSync(tarball)) return tarball;
  mkdirSync(cache, { recursive: true });
  const lock = join(cache, "lock");
  await waitUntil(async () => await Promise.resolve(takeLock(lock)), "the packing of another test", PACK_MS);
  try {
    if (!existsSync(tarball)) await pack(folder, tarball);
  } finally {
    rmSync(lock, { force: true });
  }
  return tarball;
}

async function pack(folder: string, tarball: string): Promise<void> {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const { stdout } = await run("npm", ["pack", "--json", "--pack-destination", folder], { cwd: root });
  const [{ filename }] = JSON.parse(stdout.slice(stdout.indexOf("["))) as [{ filename: string }];
  renameSync(join(folder, filename), tarball);
}

/** Everything that a build reads. The documentation is part of the package. */
function hashSources(): string {
  const hash = createHash("sha256");
  const patterns = [
    "*.json",
    "*.md",
    "{src,scripts,docs,ops,bench,examples}/**/*.{ts,tsx,md,json,css,html,conf}",
  ];
  for (const file of globSync(patterns, { cwd: root }).toSorted()) {
    hash.update(file).update(readFileSync(join(root, file)));
  }
  return hash.digest("hex").slice(0, 32);
}

/** Takes the lock of this checkout, also that of a process that was killed. */
function takeLock(lock: string): boolean {
  try {
    writeFileSync(lock, String(process.pid), { flag: "wx" });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  }
  const owner = existsSync(lock) ? Number(readFileSync(lock, "utf8")) : 0;
  if (owner > 0 && !existsSync(`/proc/${owner}`) && existsSync("/proc/self")) rmSync(lock, { force: true });
  return false;
}

/** Makes a folder with an `npm` that installs the packed tarballs in place of the names of the packages. */
export function createNpmFolder(tarballs: Readonly<Record<string, string>>): string {
  const folder = mkdtempSync(join(tmpdir(), "holdfast-npm-"));
  const npm = (process.env["PATH"] ?? "").split(delimiter).find((path) => existsSync(join(path, "npm")));
  const cases = Object.entries(tarballs).map(
    ([name, file]) => `    ${name}) args+=("${name}@file:${file}") ;;`,
  );
  const script = [
    "#!/usr/bin/env bash",
    "args=()",
    'for arg in "$@"; do',
    '  case "$arg" in',
    ...cases,
    '    *) args+=("$arg") ;;',
    "  esac",
    "done",
    "export npm_config_prefer_offline=true npm_config_audit=false npm_config_fund=false",
    `exec "${join(npm ?? "", "npm")}" "\${args[@]}"`,
    "",
  ];
  writeFileSync(join(folder, "npm"), script.join("\n"), { mode: 0o755 });
  // In a terminal curl shows no meter. It reads this file where `CURL_HOME` names the folder.
  writeFileSync(join(folder, ".curlrc"), "silent\nshow-error\n");
  return folder;
}
