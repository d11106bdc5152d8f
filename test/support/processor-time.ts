/*
 * Preloaded before each test file by `npm test -- --slowest N`. At its end the file reports the processor time of its own
 * process, and of the processes that it started and waited for.
 */
import { appendFileSync, readFileSync } from "node:fs";
import { isMainThread } from "node:worker_threads";

/** Linux counts the time of other processes in these parts of a second. */
const TICKS_PER_SECOND = 100;

/** The seconds of the children that have ended. 0 on a system without `/proc`. */
function readChildren(): number {
  try {
    const fields = readFileSync("/proc/self/stat", "utf8").split(") ").at(-1)?.split(" ") ?? [];
    return (Number(fields[13]) + Number(fields[14])) / TICKS_PER_SECOND;
  } catch {
    return 0;
  }
}

const report = process.env["TEST_PROCESSOR_TIMES"];
if (report !== undefined && isMainThread && process.env["NODE_TEST_CONTEXT"] === "child-v8") {
  process.once("exit", () => {
    const { user, system } = process.cpuUsage();
    const seconds = { own: (user + system) / 1e6, children: readChildren() };
    appendFileSync(report, `${JSON.stringify({ file: process.argv[1], ...seconds })}\n`);
  });
}
