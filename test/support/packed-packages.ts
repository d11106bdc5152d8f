import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { waitUntil } from "./deadline.ts";

const run = promisify(execFile);
const root = fileURLToPath(new URL("../..", import.meta.url));
const cache = join(root, "node_modules/.cache/holdfast-packed");
/** How long the builds and the packing of another process may take on a busy machine. */
const PACK_MS = 400_000;

/** What `npm pack --json` says about a tarball. */
export interface Packed {
  /** The path of the tarball. */
  readonly tarball: string;
  /** Bytes of the tarball. */
  readonly size: number;
  readonly unpackedSize: number;
  readonly files: readonly { readonly path: string }[];
}

/** The packages that a release publishes. */
export interface PackedPackages {
  readonly holdfast: Packed;
  readonly "holdfast-guard": Packed;
}

/** Whether the package registry can be reached. An install of a tarball needs it. A CI run without it fails. */
export async function isRegistryOnline(): Promise<boolean> {
  const question = ["view", "fastest-levenshtein@1.0.16", "version", "--prefer-offline"];
  const isOnline = await run("npm", question, { cwd: tmpdir() }).then(
    () => true,
    () => false,
  );
  if (!isOnline && process.env["CI"] === "true") throw new Error("the package registry cannot be reached");
  return isOnline;
}

/**
 * Builds and packs both packages as a release does. The test files of a run share the tarballs, because a build takes half
 * a minute and empties `dist` for another build.
 */
export async function packPackages(): Promise<PackedPackages> {
  const folder = join(cache, hashSources());
  const facts = join(folder, "packed.json");
  if (!existsSync(facts)) {
    await withLock(async () => {
      if (!existsSync(facts)) await buildAndPack(folder, facts);
    });
  }
  return JSON.parse(readFileSync(facts, "utf8")) as PackedPackages;
}

async function buildAndPack(folder: string, facts: string): Promise<void> {
  rmSync(cache, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const guard = join(folder, "guard");
  await run(process.execPath, ["scripts/build-guard.ts", "--out", guard], { cwd: root });
  const packed: PackedPackages = {
    holdfast: await packInto(folder, root),
    "holdfast-guard": await packInto(folder, guard),
  };
  writeFileSync(facts, JSON.stringify(packed));
}

/** Packs the package in `from`. The script `prepack` builds `holdfast`. */
async function packInto(folder: string, from: string): Promise<Packed> {
  const { stdout } = await run("npm", ["pack", "--json", "--pack-destination", folder], { cwd: from });
  const [facts] = JSON.parse(stdout.slice(stdout.indexOf("["))) as [
    Omit<Packed, "tarball"> & { filename: string },
  ];
  return { ...facts, tarball: join(folder, facts.filename) };
}

/** Everything that a build and a package read. */
function hashSources(): string {
  const hash = createHash("sha256");
  const patterns = [
    "*.{json,md}",
    "{src,scripts,docs,ops,bench,examples,packages}/**/*.{ts,tsx,js,md,json,css,html,conf}",
  ];
  for (const file of globSync(patterns, { cwd: root }).toSorted()) {
    if (!file.includes("node_modules")) hash.update(file).update(readFileSync(join(root, file)));
  }
  return hash.digest("hex").slice(0, 32);
}

/** Runs an action while no other process of this checkout runs one. */
async function withLock(action: () => Promise<void>): Promise<void> {
  const lock = `${cache}.lock`;
  mkdirSync(dirname(cache), { recursive: true });
  await waitUntil(async () => await Promise.resolve(takeLock(lock)), "the packing of another test", PACK_MS);
  try {
    await action();
  } finally {
    rmSync(lock, { force: true });
  }
}

/** Takes the lock, also that of a process that was killed. Returns `false` while another process has it. */
function takeLock(lock: string): boolean {
  try {
    writeFileSync(lock, String(process.pid), { flag: "wx" });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
  }
  if (!isRunning(readOwner(lock))) rmSync(lock, { force: true });
  return false;
}

/** The process that has the lock. 0 when it has just been released, or is being written. */
function readOwner(lock: string): number {
  try {
    return Number(readFileSync(lock, "utf8"));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    return 0;
  }
}

function isRunning(pid: number): boolean {
  if (pid === 0) return true;
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
