import { createHash } from "node:crypto";
import { readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { makeDirectory } from "../stores/make-directory.ts";
import type { Listener } from "./http/listen.ts";

/** A process of the service on this machine, as it announced itself. */
export interface RunningProcess {
  readonly pid: number;
  /** The name of its host. Containers can share the directory, and each has its own pids and ports. */
  readonly host: string;
  /** The address of its admin listener, on 127.0.0.1. */
  readonly address: string;
  /** A secret of this process. Only a process that knows it may receive a token. */
  readonly nonce: string;
}

/**
 * Writes the address of this process's admin listener and its nonce into a file (0600) in `directory`, where commands
 * look for it. The returned function removes that file. No process touches the file of another one that is alive.
 */
export async function announceProcess(
  directory: string,
  { address }: Pick<Listener, "address">,
  nonce: string,
): Promise<() => Promise<void>> {
  const content: RunningProcess = { pid: process.pid, host: hostname(), address, nonce };
  await makeDirectory(directory);
  await removeStale(directory, address);
  // The name has a digest, because the nonce is a secret and other users can see file names.
  const digest = createHash("sha256").update(nonce).digest("hex").slice(0, 16);
  const file = join(directory, `${process.pid}-${digest}`);
  const draft = `${file}.part`;
  try {
    await writeFile(draft, JSON.stringify(content), { mode: 0o600, flag: "wx" });
    await rename(draft, file);
  } catch (error) {
    await rm(draft, { force: true }).catch(() => undefined);
    throw error;
  }
  return async () => await rm(file, { force: true });
}

/** Lists the processes that announced themselves and are still alive, in the order of their addresses. */
export async function listRunningProcesses(directory: string): Promise<readonly RunningProcess[]> {
  const announced = await readAnnouncements(directory);
  const alive = announced.map(({ content }) => content).filter(({ pid }) => isAlive(pid));
  return alive.toSorted((a, b) => a.address.localeCompare(b.address));
}

/** Removes what processes of this host left behind: they are dead, or this process has their port now. */
async function removeStale(directory: string, ownAddress: string): Promise<void> {
  for (const { file, content } of await readAnnouncements(directory)) {
    const isStale = content.address === ownAddress || !isAlive(content.pid);
    // A command ignores the file of a dead process, so a failure to remove it matters little.
    if (content.host === hostname() && isStale) await rm(file, { force: true }).catch(() => undefined);
  }
}

async function readAnnouncements(directory: string): Promise<{ file: string; content: RunningProcess }[]> {
  const names = await readdir(directory).catch(() => []);
  const files = names.filter((name) => /^\d+-[0-9a-f]{16}$/.test(name)).map((name) => join(directory, name));
  const read = await Promise.all(files.map(async (file) => ({ file, content: await readProcess(file) })));
  return read.flatMap(({ file, content }) => (content === null ? [] : [{ file, content }]));
}

/** `null` when the file is malformed, or when its process removed it in the meantime. */
async function readProcess(file: string): Promise<RunningProcess | null> {
  try {
    const content = JSON.parse(await readFile(file, "utf8")) as Partial<RunningProcess>;
    const { pid, host, address, nonce } = content;
    if (!Number.isSafeInteger(pid) || typeof pid !== "number" || pid < 1 || typeof host !== "string")
      return null;
    if (typeof nonce !== "string" || nonce.length < 43 || !isAdminAddress(address)) return null;
    return { pid, host, address, nonce };
  } catch {
    return null;
  }
}

/** A token must not leave this machine, whatever the file says. */
function isAdminAddress(address: unknown): address is string {
  return typeof address === "string" && /^http:\/\/127\.0\.0\.1:\d{1,5}$/.test(address);
}

/** EPERM means a process of another user. It took over the pid, because the service runs as the user of its files. */
function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
