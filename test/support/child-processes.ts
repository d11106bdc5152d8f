import { readdirSync, readFileSync } from "node:fs";

/** A process that this one started, directly or through another one. */
export interface Descendant {
  readonly pid: number;
  readonly command: string;
}

/** The parent of each process. Empty on a system without `/proc`. */
function readParents(): Map<number, number> {
  const parents = new Map<number, number>();
  let names: string[];
  try {
    names = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  } catch {
    return parents;
  }
  for (const name of names) {
    // The name of the program stands in parentheses and may contain any character.
    const parent = /^.*\) \S (\d+) /s.exec(readProcess(name, "stat"))?.[1];
    if (parent !== undefined) parents.set(Number(name), Number(parent));
  }
  return parents;
}

/** An empty string when the process has ended. */
function readProcess(pid: string, file: "stat" | "cmdline"): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "utf8");
  } catch {
    return "";
  }
}

/** The processes below `root`, each after its parent. */
export function listDescendants(root: number): Descendant[] {
  const parents = readParents();
  const found = [root];
  for (const pid of found) for (const [child, parent] of parents) if (parent === pid) found.push(child);
  return found.slice(1).map((pid) => ({
    pid,
    command: readProcess(String(pid), "cmdline").replaceAll("\0", " ").trim(),
  }));
}

/** Kills processes at once. A process may have ended already. */
export function killAll(processes: readonly Descendant[]): void {
  for (const { pid } of processes) {
    try {
      process.kill(pid, "SIGKILL");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
    }
  }
}
