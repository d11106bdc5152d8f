import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { within } from "./deadline.ts";

/** How long a process may take to end on a busy machine, after the test has no more work for it. */
const EXIT_MS = 60_000;

/** Whether the process has ended, by itself or by a signal. */
export function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}

/** Resolves with the exit code or the signal when the process has ended. It may have ended before the call. */
export async function waitForExit(child: ChildProcess, what: string): Promise<number | NodeJS.Signals> {
  if (!hasEnded(child)) {
    const ended = within(once(child, "exit"), EXIT_MS, `the end of ${what}`);
    // A process that does not obey must not outlive its test.
    await ended.catch((error: unknown) => {
      child.kill("SIGKILL");
      throw error;
    });
  }
  return child.signalCode ?? child.exitCode ?? -1;
}
