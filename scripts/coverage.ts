/*
 * Measures the coverage of the rooms whose errors would let a wrong token in: verification, the validation pipeline and
 * the stores. Exits with 1 when a room is below its threshold. `node scripts/coverage.ts [room …]`
 */
import { spawnSync } from "node:child_process";
import { globSync } from "node:fs";

interface Room {
  readonly sources: string;
  readonly tests: readonly string[];
  /** Percent. */
  readonly lines: number;
  readonly branches: number;
  readonly functions: number;
}

const rooms: Readonly<Record<string, Room>> = {
  jwt: {
    sources: "src/jwt/**",
    tests: [
      "test/jwt/**/*.test.ts",
      "test/guard/pipeline/**/*.test.ts",
      // Sources of claims are options of a guard.
      "test/guard/claim-*.test.ts",
      "test/providers/okta.test.ts",
    ],
    lines: 98,
    branches: 95,
    functions: 98,
  },
  "guard/pipeline": {
    sources: "src/guard/pipeline/**",
    tests: [
      "test/guard/**/*.test.ts",
      "test/connections/**/*.test.ts",
      // Traces and decisions from memory are seen from outside.
      "test/metrics/*tracing.test.ts",
      "test/adapters/http/from-memory.test.ts",
    ],
    lines: 98,
    branches: 95,
    functions: 98,
  },
  stores: {
    sources: "src/stores/**",
    tests: ["test/stores/**/*.test.ts"],
    lines: 95,
    branches: 90,
    functions: 95,
  },
};

const asked = process.argv.slice(2);
for (const name of asked) {
  if (!(name in rooms))
    throw new Error(`there is no room "${name}"; the rooms are ${Object.keys(rooms).join(", ")}`);
}
for (const [name, room] of Object.entries(rooms)) {
  if (asked.length > 0 && !asked.includes(name)) continue;
  const { status, stdout } = spawnSync(
    process.execPath,
    [
      "--conditions=holdfast-source",
      "--import=./test/support/same-examples.ts",
      "--import=./test/support/watchdog.ts",
      "--test",
      "--test-timeout=240000",
      "--test-concurrency=3",
      "--test-reporter=spec",
      "--experimental-test-coverage",
      `--test-coverage-include=${room.sources}`,
      `--test-coverage-lines=${room.lines}`,
      `--test-coverage-branches=${room.branches}`,
      `--test-coverage-functions=${room.functions}`,
      ...room.tests.flatMap((pattern) => globSync(pattern)),
    ],
    { encoding: "utf8", maxBuffer: 2 ** 28, stdio: ["ignore", "pipe", "inherit"] },
  );
  // The report has one row for each file and ends the output. The tests' own lines matter only when one failed.
  const report = stdout.slice(stdout.search(/^.*start of coverage report/m));
  console.log(stdout.includes("failing tests:") ? stdout : report);
  console.log(`coverage of ${name}: ${status === 0 ? "at or above" : "BELOW"} its thresholds`);
  if (status !== 0) process.exitCode = 1;
}
