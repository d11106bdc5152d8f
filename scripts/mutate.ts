/*
 * Changes the code of a room in one place at a time, and runs the room's tests on each change. A change that no test
 * notices is printed as survived. The exit code is 1 when the tests of a room notice fewer changes than its threshold.
 *
 * `node scripts/mutate.ts [--lines 100] [--seed 1] [ROOM …]`: `--lines` changes only so many lines of each room, drawn by the seed.
 * `node scripts/mutate.ts --draw 60 [--seed 1] [--skip 0] [--tests 30]`: changes 60 random places of the whole source.
 * At most `--tests` test files run on each. `--skip` leaves out the first changes of the draw.
 */
import { spawnSync } from "node:child_process";
import { globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { z } from "zod";
import { seededRandom } from "../test/soak/random.ts";
import { isChangeable, testDrawnChanges } from "./mutation-draw.ts";
import { installProject } from "./peer-project.ts";

interface Room {
  /** The least share of changes that the tests must notice, in percent. When omitted, the share is only printed. */
  readonly least?: number;
  /** The tests to run, as folders and files of `test/`. When omitted, the folder with the name of the room. */
  readonly tests?: readonly string[];
}

const rooms: Readonly<Record<string, Room>> = {
  resilience: { least: 90 },
  jwt: { least: 75 },
  connections: {},
  "guard/authority": { tests: ["guard/authority", "guard/degraded"] },
  "guard/keys": {},
  "guard/pipeline": { tests: ["guard/pipeline", "guard/degraded", "guard/guard.test.ts"] },
  "guard/revocations": {},
  issuer: {},
  "stores/sqlite": { tests: ["stores/sqlite*.test.ts", "stores/memory.test.ts"] },
};

/** Stryker is installed when it is needed, because it brings as many packages as all the rest of the project. */
const stryker = { "@stryker-mutator/core": "10.0.0", "@stryker-mutator/tap-runner": "10.0.0" };

/** A report of Stryker: <https://github.com/stryker-mutator/mutation-testing-elements>. */
const reportSchema = z.object({
  files: z.record(
    z.string(),
    z.object({
      source: z.string(),
      mutants: z.array(
        z.object({
          status: z.string(),
          mutatorName: z.string(),
          replacement: z.string().optional(),
          location: z.object({ start: z.object({ line: z.number(), column: z.number() }) }),
        }),
      ),
    }),
  ),
});

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    lines: { type: "string" },
    seed: { type: "string" },
    draw: { type: "string" },
    skip: { type: "string", default: "0" },
    tests: { type: "string", default: "30" },
  },
});
for (const room of positionals) {
  if (!(room in rooms)) {
    throw new Error(`there is no room "${room}"; the rooms are ${Object.keys(rooms).join(", ")}`);
  }
}
const seed = Number(flags.seed ?? Date.now() % 1_000_000);
if (flags.lines !== undefined || flags.draw !== undefined) console.log(`seed ${seed}`);

const place = mkdtempSync(join(tmpdir(), "holdfast-mutate-"));
try {
  const installed = join(place, "stryker");
  mkdirSync(installed);
  installProject(installed, { dependencies: stryker });
  if (flags.draw !== undefined) {
    await testDrawnChanges({
      count: Number(flags.draw),
      seed,
      skip: Number(flags.skip),
      maxTests: Number(flags.tests),
      place,
      packages: join(installed, "node_modules/@stryker-mutator"),
    });
  }
  for (const [room, { least, tests = [room] }] of Object.entries(rooms)) {
    if (flags.draw !== undefined) break;
    if (positionals.length > 0 && !positionals.includes(room)) continue;
    const { noticed, all } = mutate(room, testFilesOf(tests), installed);
    const share = all === 0 ? 100 : (100 * noticed) / all;
    const bound = least === undefined ? "" : ` (at least ${least} %)`;
    console.log(`${room}: ${noticed} of ${all} changes noticed, ${share.toFixed(1)} %${bound}`);
    if (least !== undefined && share < least) process.exitCode = 1;
  }
} finally {
  rmSync(place, { recursive: true, force: true });
}

/**
 * The files of the tests. A test on Redis is left out: a change ends the process of a test at the first failure, and its
 * server would go on.
 */
function testFilesOf(tests: readonly string[]): string[] {
  const files = tests.flatMap((one) => globSync(`test/${one.endsWith(".ts") ? one : `${one}/**/*.test.ts`}`));
  return files.filter((file) => !readFileSync(file, "utf8").includes("redis-servers"));
}

/** Runs the tests of a room on each change, and prints the changes that no test noticed. */
function mutate(
  room: string,
  testFiles: readonly string[],
  installed: string,
): { noticed: number; all: number } {
  const report = join(place, `${room.replaceAll("/", "-")}.json`);
  const config = join(place, "stryker.config.json");
  const core = join(installed, "node_modules/@stryker-mutator");
  writeFileSync(
    config,
    JSON.stringify({
      mutate: sourcesOf(room),
      // Tests do not compare the words of messages.
      mutator: { excludedMutations: ["StringLiteral"] },
      testRunner: "tap",
      plugins: [join(core, "tap-runner/dist/src/index.js")],
      tap: {
        testFiles,
        nodeArgs: [
          "--conditions=holdfast-source",
          `--import=${resolve("test/support/same-examples.ts")}`,
          "--test-timeout=60000",
          "--test-reporter=tap",
          "-r",
          "{{hookFile}}",
          "{{testFile}}",
        ],
        forceBail: true,
      },
      coverageAnalysis: "perTest",
      concurrency: 1,
      timeoutMS: 15_000,
      // The compiler of the project has no interface that Stryker could use, and the tests need none.
      tsconfigFile: "none.json",
      ignorePatterns: ["/docs", "/bench", "/examples"],
      tempDirName: join(place, "sandboxes"),
      reporters: ["json"],
      logLevel: "error",
      jsonReporter: { fileName: report },
    }),
  );
  const { status } = spawnSync(process.execPath, [join(core, "core/bin/stryker.js"), "run", config], {
    stdio: ["ignore", "inherit", "inherit"],
  });
  if (status !== 0) throw new Error(`the changes of ${room} could not be tested`);
  const { files } = reportSchema.parse(JSON.parse(readFileSync(report, "utf8")));
  let noticed = 0;
  let all = 0;
  for (const [file, { source, mutants }] of Object.entries(files)) {
    const lines = source.split("\n");
    for (const { status: outcome, mutatorName, replacement = "", location } of mutants) {
      if (outcome === "Killed" || outcome === "Timeout") noticed++;
      else if (outcome !== "Survived" && outcome !== "NoCoverage") continue;
      else {
        const { line, column } = location.start;
        console.log(`survived: ${file}:${line}:${column} ${mutatorName}`);
        console.log(`  ${lines[line - 1]?.trim()}\n  ${replacement.replaceAll(/\s+/g, " ").slice(0, 100)}`);
      }
      all++;
    }
  }
  return { noticed, all };
}

/** The files of a room, or as many of their lines as `--lines` says. */
function sourcesOf(room: string): string[] {
  const files = globSync(`src/${room}/**/*.ts`);
  if (flags.lines === undefined) return files;
  const random = seededRandom(seed);
  const lines = files.flatMap((file) =>
    readFileSync(file, "utf8")
      .split("\n")
      .map((text, index) => ({ text, range: `${file}:${index + 1}-${index + 2}` })),
  );
  return lines
    .filter(({ text }) => isChangeable(text))
    .map(({ range }) => ({ range, order: random() }))
    .toSorted((a, b) => a.order - b.order)
    .slice(0, Number(flags.lines))
    .map(({ range }) => range);
}
