import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { systemErrorCode } from "../core/errors.ts";
import type { Listener } from "./http/listen.ts";

/** A process of the service on this machine. */
export interface RunningProcess {
  readonly pid: number;
  /** The address of its admin listener. */
  readonly address: string;
}

/**
 * Writes the address of this process's admin listener into `directory`, where commands look for it. The returned
 * function removes it. The file is named after the port, so a process that was killed is replaced by the next one.
 */
export async function announceProcess(
  directory: string,
  { port, address }: Pick<Listener, "port" | "address">,
): Promise<() => Promise<void>> {
  const file = join(directory, String(port));
  const content: RunningProcess = { pid: process.pid, address };
  await mkdir(directory, { recursive: true, mode: 0o700 });
  await writeFile(file, JSON.stringify(content), { mode: 0o600 });
  return async () => await rm(file, { force: true });
}

/** Lists the processes that announced themselves and are still alive, in the order of their ports. */
export async function listRunningProcesses(directory: string): Promise<readonly RunningProcess[]> {
  const files = await readdir(directory).catch(() => []);
  const processes = await Promise.all(files.map(async (file) => await readProcess(join(directory, file))));
  const alive = processes.filter((one) => one !== null).filter(({ pid }) => isAlive(pid));
  return alive.toSorted((a, b) => a.address.localeCompare(b.address));
}

/** `null` when the file is incomplete, or when its process removed it in the meantime. */
async function readProcess(file: string): Promise<RunningProcess | null> {
  try {
    const { pid, address } = JSON.parse(await readFile(file, "utf8")) as Partial<RunningProcess>;
    return typeof pid === "number" && typeof address === "string" ? { pid, address } : null;
  } catch {
    return null;
  }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    // EPERM: the process exists and belongs to another user.
    return systemErrorCode(error) === "EPERM";
  }
}
