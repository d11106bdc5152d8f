/* Changes random places of the whole source, one at a time, and runs the tests that load the changed file. */
import { spawn, spawnSync } from "node:child_process";
import { globSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { killAll, listDescendants } from "../test/support/child-processes.ts";
import { seededRandom } from "../test/soak/random.ts";
import { createTestFinder } from "./mutation-tests.ts";

/** One change of the source, as Stryker describes it. Its lines and columns count from zero. */
interface Change {
  readonly fileName: string;
  readonly mutatorName: string;
  readonly replacement: string;
  readonly location: { readonly start: Position; readonly end: Position };
  /** `Ignored` for a change of a kind that is left out. */
  readonly status?: string;
}

interface Position {
  readonly line: number;
  readonly column: number;
}

interface Instrumenter {
  instrument(
    files: readonly { readonly name: string; readonly content: string; readonly mutate: boolean }[],
    options: object,
  ): Promise<{ readonly mutants: readonly Change[] }>;
}

interface DrawOptions {
  readonly count: number;
  readonly seed: number;
  /** So many changes of the draw are left out, because an earlier run tested them. */
  readonly skip: number;
  /** At most so many test files run on a change. */
  readonly maxTests: number;
  /** An empty folder for the copy of the repository. */
  readonly place: string;
  /** The folder of the packages `@stryker-mutator/…`. */
  readonly packages: string;
}

type Outcome = { readonly noticedBy: string } | "timeout" | "survived";

/** More files start together as more tests pass, because a change that three near tests miss is likely to survive. */
const BATCH_SIZES = [2, 4, 6];
const BATCH_LIMIT_MS = 240_000;

/** Draws changes and tests them. Prints each change and its outcome, and then the outcomes by room. */
export async function testDrawnChanges(options: DrawOptions): Promise<void> {
  const { count, seed, skip, maxTests, place, packages } = options;
  const changes = (await drawChanges(count, seed, packages)).slice(skip);
  const copy = join(place, "copy");
  git("worktree", "add", "--detach", copy, "HEAD");
  try {
    symlinkSync(resolve("node_modules"), join(copy, "node_modules"));
    const testsOf = createTestFinder();
    const isSound = createSoundnessCheck(copy);
    const byRoom = new Map<string, { all: number; noticed: number }>();
    for (const [index, change] of changes.entries()) {
      const tests = testsOf(change.fileName).slice(0, maxTests);
      const outcome = await testChange(copy, change, tests, isSound);
      const isNoticed = outcome !== "survived";
      const room = change.fileName.split("/")[1] ?? "";
      const { all, noticed } = byRoom.get(room) ?? { all: 0, noticed: 0 };
      byRoom.set(room, { all: all + 1, noticed: noticed + Number(isNoticed) });
      print(index + skip + 1, change, outcome, tests.length);
    }
    for (const [room, { all, noticed }] of [...byRoom].toSorted(([a], [b]) => a.localeCompare(b))) {
      console.log(`${room}: ${noticed} of ${all} changes noticed`);
    }
  } finally {
    git("worktree", "remove", "--force", copy);
  }
}

function git(...args: readonly string[]): void {
  const { status, stderr } = spawnSync("git", args, { encoding: "utf8" });
  if (status !== 0) throw new Error(`git ${args.join(" ")} failed: ${stderr}`);
}

/** Draws lines of the whole source, and on each line that can be changed one of its changes. */
async function drawChanges(count: number, seed: number, packages: string): Promise<Change[]> {
  const random = seededRandom(seed);
  const files = globSync("src/**/*.{ts,tsx}").toSorted();
  const lines = files
    .flatMap((file) =>
      readFileSync(file, "utf8")
        .split("\n")
        .map((text, line) => ({ file, line, text })),
    )
    .filter(({ text }) => isChangeable(text))
    .map((line) => ({ ...line, order: random() }))
    .toSorted((a, b) => a.order - b.order);
  const listChanges = await createLister(packages);
  const drawn: Change[] = [];
  for (const { file, line } of lines) {
    if (drawn.length === count) break;
    const onLine = (await listChanges(file)).filter(({ location }) => location.start.line === line);
    const change = onLine[Math.floor(random() * onLine.length)];
    if (change !== undefined) drawn.push(change);
  }
  return drawn;
}

/** Whether a line may hold code that runs, other than an import. */
export function isChangeable(line: string): boolean {
  return /\w/.test(line) && !/^\s*(?:\*|\/[/*]|import|export (?:type|interface))/.test(line);
}

/** Returns a function that lists what Stryker would change in a file. */
async function createLister(packages: string): Promise<(file: string) => Promise<readonly Change[]>> {
  const load = async (path: string) => (await import(pathToFileURL(join(packages, path)).href)) as unknown;
  const { createInjector } = (await load("../typed-inject/dist/src/index.js")) as {
    createInjector: () => {
      provideValue(name: string, value: object): { injectFunction(f: unknown): Instrumenter };
    };
  };
  const { createInstrumenter } = (await load("instrumenter/dist/src/index.js")) as {
    createInstrumenter: unknown;
  };
  const silent = Object.fromEntries(
    ["isTraceEnabled", "isDebugEnabled", "trace", "debug", "info", "warn", "error", "fatal"].map((name) => [
      name,
      () => false,
    ]),
  );
  const instrumenter = createInjector().provideValue("logger", silent).injectFunction(createInstrumenter);
  const known = new Map<string, readonly Change[]>();
  return async (file) => {
    const found = known.get(file);
    if (found !== undefined) return found;
    const { mutants } = await instrumenter.instrument(
      [{ name: file, content: readFileSync(file, "utf8"), mutate: true }],
      // Tests do not compare the words of messages.
      { plugins: null, excludedMutations: ["StringLiteral"], ignorers: [] },
    );
    const changes = mutants.filter(({ status }) => status !== "Ignored");
    known.set(file, changes);
    return changes;
  };
}

/**
 * Runs the tests on a change until a test file fails twice, because a busy machine may fail a test once. A file that
 * fails without the change, too, notices nothing.
 */
async function testChange(
  copy: string,
  change: Change,
  tests: readonly string[],
  isSound: (test: string) => Promise<boolean>,
): Promise<Outcome> {
  const path = join(copy, change.fileName);
  const before = readFileSync(path, "utf8");
  const failedOn = async (files: readonly string[]) => {
    writeFileSync(path, applyChange(before, change));
    const failed = await runTests(copy, files);
    writeFileSync(path, before);
    if (failed === "timeout" && (await runTests(copy, files)) === "timeout") {
      throw new Error(`the machine is too busy: ${files.join(", ")} did not end without a change either`);
    }
    return failed;
  };
  let from = 0;
  for (let batch = 0; from < tests.length; batch++) {
    const size = BATCH_SIZES[batch] ?? BATCH_SIZES.at(-1) ?? 1;
    const failed = await failedOn(tests.slice(from, from + size));
    if (failed === "timeout") return "timeout";
    for (const test of failed) {
      const again = await failedOn([test]);
      if (again === "timeout") return "timeout";
      if (again.length > 0 && (await isSound(test))) return { noticedBy: test };
    }
    from += size;
  }
  return "survived";
}

/** Returns a function that tells whether a test file passes without a change. */
function createSoundnessCheck(copy: string): (test: string) => Promise<boolean> {
  const known = new Map<string, boolean>();
  return async (test) => {
    const isSound = known.get(test) ?? (await runTests(copy, [test])).length === 0;
    known.set(test, isSound);
    if (!isSound) console.log(`${test} fails without a change, too`);
    return isSound;
  };
}

function applyChange(source: string, { location: { start, end }, replacement }: Change): string {
  const lines = source.split("\n");
  const offset = ({ line, column }: Position) =>
    lines.slice(0, line).join("\n").length + (line > 0 ? 1 : 0) + column;
  return source.slice(0, offset(start)) + replacement + source.slice(offset(end));
}

/** Runs test files, and returns those that failed. Tests that do not end are killed. */
async function runTests(copy: string, tests: readonly string[]): Promise<string[] | "timeout"> {
  const child = spawn(process.execPath, ["scripts/run-tests.ts", "--strict", ...tests], {
    cwd: copy,
    stdio: ["ignore", "pipe", "ignore"],
  });
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (output += text));
  let isLate = false;
  const limit = setTimeout(() => {
    isLate = true;
    killAll([...listDescendants(child.pid ?? 0), { pid: child.pid ?? 0, command: "" }]);
  }, BATCH_LIMIT_MS);
  const status = await new Promise<number | null>((ended) => child.once("close", ended));
  clearTimeout(limit);
  if (isLate) return "timeout";
  if (status === 0) return [];
  const failed = [...output.matchAll(/^! failed: (test\/\S+): /gm)].map(([, file = ""]) => file);
  if (failed.length === 0)
    throw new Error(`the tests ended with ${status} and named no failed file:\n${output}`);
  return [...new Set(failed)];
}

function print(number: number, change: Change, outcome: Outcome, tests: number): void {
  const { fileName, mutatorName, replacement, location } = change;
  const { line, column } = location.start;
  const place = `${fileName}:${line + 1}:${column + 1} ${mutatorName}`;
  if (typeof outcome === "object") return console.log(`${number} noticed: ${place}, by ${outcome.noticedBy}`);
  if (outcome === "timeout") return console.log(`${number} noticed: ${place}, the tests did not end`);
  const before = readFileSync(fileName, "utf8").split("\n")[line]?.trim();
  const after = replacement.replaceAll(/\s+/g, " ").slice(0, 200);
  console.log(`${number} survived: ${place}, ${tests} test files\n  ${before}\n  ${after}`);
}
