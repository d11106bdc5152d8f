import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { globSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { LONG_FILES, arrangeFiles, runLanes } from "../../scripts/test-lanes.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));

const passing = 'test("passes", () => {});';
const failing = 'test("fails", () => { throw new Error("always"); });';
/** Fails in its first run only. */
const unlucky = `test("fails once", () => {
  const mark = import.meta.filename + ".ran";
  if (existsSync(mark)) return;
  writeFileSync(mark, "");
  throw new Error("the machine is busy");
});`;
const blocked = 'test("blocks", () => { for (;;); });';

/** Runs test files with these contents, as `npm test` runs those of the repository. */
function runTests(
  t: TestContext,
  files: Readonly<Record<string, string>>,
  { flags = [], limitMs = 600_000 }: { flags?: readonly string[]; limitMs?: number } = {},
): { status: number | null; output: string } {
  const folder = mkdtempSync(join(tmpdir(), "holdfast-run-tests-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const paths = Object.entries(files).map(([name, code]) => {
    const path = join(folder, `${name}.test.mjs`);
    const imports = 'import { test } from "node:test";\nimport { existsSync, writeFileSync } from "node:fs";';
    writeFileSync(path, `${imports}\n${code}\n`);
    return path;
  });
  // The variable would tell the runner that it runs inside a test.
  const { NODE_TEST_CONTEXT: _, ...inherited } = process.env;
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    ["scripts/run-tests.ts", ...flags, ...paths],
    {
      cwd: root,
      env: { ...inherited, TEST_FILE_LIMIT_MS: String(limitMs) },
      encoding: "utf8",
      timeout: 200_000,
    },
  );
  return { status, output: stdout + stderr };
}

/** The number in the only closing line of this name. */
function closing(output: string, name: string): number {
  const found = [...output.matchAll(new RegExp(`^ℹ ${name} (\\d+)$`, "gm"))];
  assert.equal(found.length, 1, output);
  return Number(found[0]?.[1]);
}

test("a run without failures exits with 0 and prints the closing lines of Node once", (t) => {
  const { status, output } = runTests(t, { one: passing, two: passing });
  assert.equal(status, 0, output);
  assert.deepEqual(
    ["tests", "suites", "pass", "fail", "cancelled", "skipped", "todo"].map((name) => closing(output, name)),
    [2, 0, 2, 0, 0, 0, 0],
  );
});

test("a file that fails beside others and passes alone is reported, and the run passes", (t) => {
  const { status, output } = runTests(t, { one: passing, two: unlucky });
  assert.equal(status, 0, output);
  assert.match(output, /^== 1 of 2 files failed\. Each runs once more, alone\.$/m);
  assert.match(output, /^! failed beside other files, passed alone: .*two\.test\.mjs: fails once$/m);
  assert.match(output, /the machine is busy/, "the error of the first run is shown");
  assert.deepEqual([closing(output, "tests"), closing(output, "pass"), closing(output, "fail")], [2, 2, 0]);
});

test("a file that fails again alone fails the run, beside one that recovers", (t) => {
  const { status, output } = runTests(t, { one: passing, two: unlucky, three: failing });
  assert.equal(status, 1, output);
  assert.match(output, /^! failed beside other files, passed alone: .*two\.test\.mjs: fails once$/m);
  assert.match(output, /^! failed beside other files and alone: .*three\.test\.mjs: fails$/m);
  assert.deepEqual([closing(output, "tests"), closing(output, "pass"), closing(output, "fail")], [3, 2, 1]);
});

test("nothing is repeated when more than three files fail, or with --strict", (t) => {
  const four = { one: unlucky, two: unlucky, three: unlucky, four: unlucky };
  for (const { status, output } of [
    runTests(t, four),
    runTests(t, { one: unlucky, two: passing }, { flags: ["--strict"] }),
  ]) {
    assert.equal(status, 1, output);
    assert.doesNotMatch(output, /once more/);
    assert.match(output, /^! failed: .*one\.test\.mjs: fails once$/m);
  }
});

test("a file that blocks its thread is ended, and the run fails and names it", (t) => {
  const { status, output } = runTests(t, { one: blocked }, { flags: ["--strict"], limitMs: 4_000 });
  assert.equal(status, 1, output);
  assert.match(output, /one\.test\.mjs blocks its thread for too long, and is ended now\./);
  assert.match(output, /^! failed: .*one\.test\.mjs: the file as a whole$/m);
  assert.equal(closing(output, "fail"), 1);
});

test("with --slowest the processor time of a file includes a child process that still runs", (t) => {
  const busyChild = `test("starts a child", async () => {
    const { spawn } = await import("node:child_process");
    const work = "const end = process.cpuUsage().user + 500_000; while (process.cpuUsage().user < end);"
    const child = spawn(process.execPath, ["-e", work + "console.log(1); setInterval(() => {}, 1000);"]);
    process.once("exit", () => child.kill());
    await new Promise((resolve) => child.stdout.once("data", resolve));
    child.unref();
    child.stdout.destroy();
    child.stdin.destroy();
    child.stderr.destroy();
  });`;
  const { status, output } = runTests(t, { one: busyChild }, { flags: ["--slowest", "1"] });
  assert.equal(status, 0, output);
  const seconds = (line: RegExp) => Number(line.exec(output)?.[1]);
  assert.ok(seconds(/^ *[\d.]+ +([\d.]+) {2}.*one\.test\.mjs$/m) >= 0.5, output);
  assert.ok(seconds(/^ *[\d.]+ +([\d.]+) {2}all 1 files$/m) >= 0.5, output);
  assert.match(output, /^ *[\d.]+ {2}the machine, with all other programs, and \d+ % of it was idle$/m);
});

test("every file of the repository has one place in the order, and none that is gone is named", () => {
  const files = globSync("test/**/*.test.ts", { cwd: root });
  const arranged = arrangeFiles(files).flatMap((lane) => lane.files);
  assert.deepEqual(arranged.toSorted(), files.toSorted());
  assert.deepEqual(
    LONG_FILES.filter((file) => !files.includes(file)),
    [],
  );
});

test("a place whose lane has no file left takes one of another lane, and each file runs once", async () => {
  const started: string[] = [];
  const ends = new Map<string, () => void>();
  const lanes = [
    { places: 1, files: ["long"] },
    { places: 1, files: ["one", "two", "three"] },
  ];
  const end = runLanes(lanes, async (file) => {
    started.push(file);
    await new Promise<void>((resolve) => ends.set(file, resolve));
  });
  const turns = async () => await new Promise((resolve) => setImmediate(resolve));
  const finish = async (file: string) => {
    ends.get(file)?.();
    await turns();
  };
  assert.deepEqual(started, ["long", "one"]);
  await finish("long");
  assert.deepEqual(started, ["long", "one", "two"]);
  await finish("one");
  await finish("two");
  await finish("three");
  await end;
  assert.deepEqual(started, ["long", "one", "two", "three"]);
});
