/*
 * Runs the tests with the reporter of Node. `node scripts/run-tests.ts [--strict] [--explore] [--slowest N] [FILE …]`
 *
 * The tests start hundreds of processes, and a machine that does other work may starve one of them past a deadline. When
 * at most three files fail, exactly these run once more, one at a time with no test beside them. The output names every
 * test that failed, and the run fails when a file fails again. `--strict` repeats nothing.
 * `--explore` draws new examples for the property tests, and all that slow ones have. `--slowest` prints the files that took the longest,
 * and the processor time of the whole run.
 */
import { globSync } from "node:fs";
import { relative, resolve } from "node:path";
import { Readable } from "node:stream";
import { parseArgs } from "node:util";
import { findSystemPrograms } from "./system-programs.ts";
import { buildForTests } from "./test-build.ts";
import { arrangeFiles, runLanes, type Lane } from "./test-lanes.ts";
import { measureTimes } from "./test-times.ts";
import { run } from "node:test";
import { spec } from "node:test/reporters";
import { killAll, listDescendants } from "../test/support/child-processes.ts";
import { FILE_LIMIT_MS } from "../test/support/file-limit.ts";

type TestEvent = { readonly type: string; readonly data: unknown };

/** The totals of a run or of a file. */
interface Counts {
  readonly tests: number;
  readonly suites: number;
  readonly passed: number;
  readonly failed: number;
  readonly cancelled: number;
  readonly skipped: number;
  readonly todo: number;
}

/** The members of the events that are read here. */
interface EventData {
  readonly name: string;
  readonly nesting: number;
  /** Absent in the totals of the whole run. */
  readonly file?: string;
  /** Absent in the events about a file as a whole. */
  readonly entryFile?: string;
  readonly counts: Counts;
  readonly details: { readonly passed: boolean; readonly type?: string };
}

interface Result {
  readonly byFile: ReadonlyMap<string, Counts>;
  /** File → the names of its failed tests. Empty for a file that failed outside its tests. */
  readonly failures: ReadonlyMap<string, readonly string[]>;
  /** File → milliseconds from the start of its process to its end. */
  readonly durations: ReadonlyMap<string, number>;
}

/** More files than this do not fail because a machine is busy. */
const MAX_REPEATED = 3;
const RUN_LIMIT_MS = 30 * 60_000;
/** A test that starts twenty processes takes three minutes on a machine that is ten times overloaded. */
const TEST_LIMIT_MS = 420_000;
/** The watchdog inside a file ends it earlier, unless the file blocks its own thread. */
const BLOCKED_FILE_LIMIT_MS = 1.2 * FILE_LIMIT_MS;

const { values: flags, positionals } = parseArgs({
  options: { strict: { type: "boolean" }, explore: { type: "boolean" }, slowest: { type: "string" } },
  allowPositionals: true,
});
const preloaded = ["light-hooks", "watchdog", ...(flags.explore === true ? [] : ["same-examples"])];
if (flags.slowest !== undefined) preloaded.push("processor-time");
const execArgv = [
  "--conditions=holdfast-source",
  ...preloaded.map((name) => `--import=${import.meta.resolve(`../test/support/${name}.ts`)}`),
];
const short = (file: string) => relative("", file);

/** The files that run now. */
const unfinished = new Set<string>();
/** The failures of the run so far. The reporter shows their errors at the end. */
let failuresSoFar = new Map<string, string[]>();

/** Ends the whole run. */
function giveUp(reason: string): never {
  console.error(`${reason}. These files had not ended: ${[...unfinished].map(short).join(", ") || "none"}`);
  list(failuresSoFar, "failed");
  killAll(listDescendants(process.pid));
  process.exit(1);
}

/** Process id of a test file → when it was first seen. */
const seen = new Map<number, number>();

/** Ends the test files that run for too long. */
function endLateFiles(): void {
  for (const { pid, command } of listDescendants(process.pid)) {
    if (!/\.test\.[a-z]+$/.test(command)) continue;
    const since = seen.get(pid) ?? performance.now();
    seen.set(pid, since);
    if (performance.now() - since < BLOCKED_FILE_LIMIT_MS) continue;
    console.error(`${command.split(" ").at(-1)} blocks its thread for too long, and is ended now.`);
    killAll([...listDescendants(pid), { pid, command }]);
  }
}

/** Runs one file. Returns its events, without the totals of its run, which `record` gets. */
async function runFile(file: string, record: (counts: Counts) => void): Promise<TestEvent[]> {
  const events: TestEvent[] = [];
  for await (const event of run({
    files: [file],
    timeout: TEST_LIMIT_MS,
    execArgv,
  }) as AsyncIterable<TestEvent>) {
    const { file: of, nesting, counts } = event.data as EventData;
    if (event.type === "test:summary" && of === undefined) record(counts);
    const isTotal = of === undefined && (event.type === "test:summary" || nesting === 0);
    if (!isTotal) events.push(event);
  }
  return events;
}

/** The failed tests of a file, or `null` when it passed. */
function failedTests(file: string, events: readonly TestEvent[]): string[] | null {
  const names: string[] = [];
  let hasFailed = false;
  for (const { type, data } of events) {
    const { entryFile, name, details } = data as EventData;
    if (type === "test:complete" && entryFile === undefined && !details.passed) hasFailed = true;
    if (type === "test:fail" && entryFile === file && details.type !== "suite") names.push(name);
  }
  return hasFailed || names.length > 0 ? names : null;
}

/** Runs files side by side, and prints the events of each file as Node does when the file has ended. */
async function runFiles(lanes: readonly Lane[]): Promise<Result> {
  const byFile = new Map<string, Counts>();
  const failures = new Map<string, string[]>();
  failuresSoFar = failures;
  const durations = new Map<string, number>();
  const printed = new Readable({ objectMode: true, read: () => undefined });

  async function runNext(file: string): Promise<void> {
    const began = performance.now();
    unfinished.add(file);
    const events = await runFile(file, (counts) => byFile.set(file, counts));
    unfinished.delete(file);
    durations.set(file, performance.now() - began);
    const failed = failedTests(file, events);
    if (failed !== null) failures.set(file, failed);
    for (const event of events) printed.push(event);
  }

  const end = runLanes(lanes, runNext).finally(() => printed.push(null));
  for await (const text of printed.compose(spec)) process.stdout.write(text);
  await end;
  return { byFile, failures, durations };
}

/** The sum of the totals. The files of a later run replace those of an earlier one. */
function sum(...runs: readonly Result[]): Counts {
  const byFile = new Map(runs.flatMap((one) => [...one.byFile]));
  const total = { tests: 0, suites: 0, passed: 0, failed: 0, cancelled: 0, skipped: 0, todo: 0 };
  for (const counts of byFile.values()) {
    for (const name of Object.keys(total) as (keyof Counts)[]) total[name] += counts[name];
  }
  return total;
}

function list(failures: Result["failures"], title: string): void {
  for (const [file, names] of failures) {
    for (const name of names.length > 0 ? names : ["the file as a whole"]) {
      console.log(`! ${title}: ${short(file)}: ${name}`);
    }
  }
}

/** The closing lines, as Node prints them. */
function printTotals(counts: Counts, startedAt: number): void {
  const { tests, suites, passed, failed, cancelled, skipped, todo } = counts;
  const lines = { tests, suites, pass: passed, fail: failed, cancelled, skipped, todo };
  for (const [name, count] of Object.entries(lines)) console.log(`ℹ ${name} ${count}`);
  console.log(`ℹ duration_ms ${performance.now() - startedAt}`);
}

findSystemPrograms();
if (flags.explore === true) process.env["TEST_EXAMPLES"] = "all";
// Hundreds of processes load the same modules. Node keeps them compiled, which halves the start of a service.
process.env["NODE_COMPILE_CACHE"] ??= resolve("node_modules/.cache/compile");

const startedAt = performance.now();
const times = measureTimes();
// The services of a few files start faster from the source than after a build.
if (positionals.length === 0) process.env["TEST_BUILT_CLI"] = await buildForTests();
setTimeout(
  () => giveUp(`the tests have not ended within ${RUN_LIMIT_MS / 60_000} min`),
  RUN_LIMIT_MS,
).unref();
setInterval(endLateFiles, FILE_LIMIT_MS / 20).unref();
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => giveUp(`ended by ${signal}`));

const files = (positionals.length > 0 ? positionals : globSync("test/**/*.test.ts")).map((file) =>
  relative("", resolve(file)),
);
const lanes = arrangeFiles(files).map((lane) => ({
  ...lane,
  files: lane.files.map((file) => resolve(file)),
}));
const first = await runFiles(lanes);
const failed = [...first.failures.keys()];
let total = sum(first);
let hasFailed = failed.length > 0;
if (failed.length > 0 && failed.length <= MAX_REPEATED && flags.strict !== true) {
  console.log(`\n== ${failed.length} of ${files.length} files failed. Each runs once more, alone.`);
  const repeated = await runFiles([{ places: 1, files: failed }]);
  total = sum(first, repeated);
  hasFailed = repeated.failures.size > 0;
  const recovered = new Map([...first.failures].filter(([file]) => !repeated.failures.has(file)));
  list(recovered, "failed beside other files, passed alone");
  list(repeated.failures, "failed beside other files and alone");
} else {
  list(first.failures, "failed");
}
if (flags.slowest !== undefined) times.print(first.durations, Number(flags.slowest));
printTotals(total, startedAt);
process.exitCode = hasFailed ? 1 : 0;
