/*
 * Preloaded before each test file by `npm test -- --slowest N`. At its end the file reports the processor time of its own
 * process, of the processes that it started and waited for, and of those that still run. Processes that Chromium leaves to
 * the system at its end are missing.
 */
import { appendFileSync, readFileSync } from "node:fs";
import { isMainThread } from "node:worker_threads";
import { listDescendants } from "./child-processes.ts";

/** Linux counts the time of other processes in these parts of a second. */
const TICKS_PER_SECOND = 100;

/** The seconds of a process, and of its children that have ended. Zeros on a system without `/proc`. */
function readProcess(pid: number): { own: number; children: number } {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ").at(-1)?.split(" ") ?? [];
    const seconds = (first: number) => (Number(fields[first]) + Number(fields[first + 1])) / TICKS_PER_SECOND;
    return { own: seconds(11), children: seconds(13) };
  } catch {
    return { own: 0, children: 0 };
  }
}

/** The seconds of all processes below this one, whether they have ended or not. */
function readDescendants(): number {
  const running = listDescendants(process.pid).map(({ pid }) => readProcess(pid));
  return running.reduce((sum, { own, children }) => sum + own + children, readProcess(process.pid).children);
}

const report = process.env["TEST_PROCESSOR_TIMES"];
if (report !== undefined && isMainThread && process.env["NODE_TEST_CONTEXT"] === "child-v8") {
  process.once("exit", () => {
    const { user, system } = process.cpuUsage();
    const seconds = { own: (user + system) / 1e6, children: readDescendants() };
    appendFileSync(report, `${JSON.stringify({ file: process.argv[1], ...seconds })}\n`);
  });
}
