/*
 * Runs the tests with the reporter of Node. `node scripts/run-tests.ts [--strict] [--explore] [--slowest N] [FILE …]`
 *
 * The tests start hundreds of processes, and a machine that does other work may starve one of them past a deadline. When
 * at most three files fail, exactly these run once more, one at a time with no test beside them. The output names every
 * test that failed, and the run fails when a file fails again. `--strict` repeats nothing.
 * `--explore` draws new examples for the property tests, and all that slow ones have. `--slowest` prints the files that took the longest.
 */
import { globSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative, resolve } from "node:path";
import { Readable } from "node:stream";
import { parseArgs } from "node:util";
import { findSystemPrograms } from "./system-programs.ts";
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
  readonly message: string;
  readonly counts: Counts;
  readonly details: { readonly passed: boolean; readonly type?: string };
}

interface Result {
  readonly total: Counts;
  /** Absent for a file that was ended. */
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
/** Each file adds a line with its processor time to this file. */
const processorTimes = join(tmpdir(), `holdfast-processor-times-${process.pid}`);
if (flags.slowest !== undefined) {
  preloaded.push("processor-time");
  process.env["TEST_PROCESSOR_TIMES"] = processorTimes;
}
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

/** Prints the events of one run as Node does, without the closing lines. */
async function runFiles(files: readonly string[], concurrency: number): Promise<Result> {
  const byFile = new Map<string, Counts>();
  const failures = new Map<string, string[]>();
  failuresSoFar = failures;
  const dequeuedAt = new Map<string, number>();
  const durations = new Map<string, number>();
  let total: Counts | undefined;

  function read(type: string, data: EventData): void {
    const { file = "", entryFile, name, details } = data;
    if (type === "test:summary") {
      if (data.file === undefined) total = data.counts;
      else byFile.set(file, data.counts);
    } else if (type === "test:dequeue" && entryFile === undefined) {
      unfinished.add(file);
      dequeuedAt.set(file, performance.now());
    } else if (type === "test:complete" && entryFile === undefined) {
      unfinished.delete(file);
      durations.set(file, performance.now() - (dequeuedAt.get(file) ?? performance.now()));
      if (!details.passed) failures.set(file, failures.get(file) ?? []);
    } else if (type === "test:fail" && entryFile !== undefined && details.type !== "suite") {
      failures.set(entryFile, [...(failures.get(entryFile) ?? []), name]);
    }
  }

  const events = run({ files: [...files], concurrency, timeout: TEST_LIMIT_MS, execArgv });
  async function* withoutTotals(): AsyncGenerator<TestEvent> {
    for await (const event of events as AsyncIterable<TestEvent>) {
      const data = event.data as EventData;
      read(event.type, data);
      const isTotal = event.type === "test:diagnostic" && data.file === undefined && data.nesting === 0;
      if (!isTotal) yield event;
    }
  }
  for await (const text of Readable.from(withoutTotals()).compose(spec)) process.stdout.write(text);
  if (total === undefined) throw new Error("the run ended without its totals");
  return { total, byFile, failures, durations };
}

function add(one: Counts, other: Counts): Counts {
  const names = Object.keys(one) as (keyof Counts)[];
  return Object.fromEntries(names.map((name) => [name, one[name] + other[name]])) as unknown as Counts;
}

/** The totals of the run, in which the repeated files count as they ended when they ran alone. */
function merge(first: Result, repeated: Result): Counts {
  let total = repeated.total;
  for (const [file, counts] of first.byFile) if (!first.failures.has(file)) total = add(total, counts);
  return total;
}

function list(failures: Result["failures"], title: string): void {
  for (const [file, names] of failures) {
    for (const name of names.length > 0 ? names : ["the file as a whole"]) {
      console.log(`! ${title}: ${short(file)}: ${name}`);
    }
  }
}

/** The seconds of processor time of each file, as its process reported them. */
function readProcessorTimes(): ReadonlyMap<string, number> {
  const lines = readFileSync(processorTimes, "utf8").trim().split("\n");
  rmSync(processorTimes);
  return new Map(
    lines.map((line) => {
      const { file, own, children } = JSON.parse(line) as { file: string; own: number; children: number };
      return [file, own + children];
    }),
  );
}

function printSlowest(durations: Result["durations"], count: number): void {
  const processor = readProcessorTimes();
  const seconds = (value: number) => value.toFixed(1).padStart(7);
  const slowest = [...durations].toSorted(([, a], [, b]) => b - a).slice(0, count);
  console.log("   wall, processor: seconds of each file");
  for (const [file, ms] of slowest) {
    console.log(`${seconds(ms / 1000)} ${seconds(processor.get(file) ?? NaN)}  ${short(file)}`);
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
setTimeout(
  () => giveUp(`the tests have not ended within ${RUN_LIMIT_MS / 60_000} min`),
  RUN_LIMIT_MS,
).unref();
setInterval(endLateFiles, FILE_LIMIT_MS / 20).unref();
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => giveUp(`ended by ${signal}`));

const files = (positionals.length > 0 ? positionals : globSync("test/**/*.test.ts")).map((file) =>
  resolve(file),
);
const first = await runFiles(files.toSorted(), 3);
const failed = [...first.failures.keys()];
let total = first.total;
let hasFailed = failed.length > 0;
if (failed.length > 0 && failed.length <= MAX_REPEATED && flags.strict !== true) {
  console.log(`\n== ${failed.length} of ${files.length} files failed. Each runs once more, alone.`);
  const repeated = await runFiles(failed, 1);
  total = merge(first, repeated);
  hasFailed = repeated.failures.size > 0;
  const recovered = new Map([...first.failures].filter(([file]) => !repeated.failures.has(file)));
  list(recovered, "failed beside other files, passed alone");
  list(repeated.failures, "failed beside other files and alone");
} else {
  list(first.failures, "failed");
}
if (flags.slowest !== undefined) printSlowest(first.durations, Number(flags.slowest));
printTotals(total, startedAt);
process.exitCode = hasFailed ? 1 : 0;
