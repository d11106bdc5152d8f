import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../..", import.meta.url));

/** Runs one file as `npm test` does, with a shorter limit. */
function runFile(file: string, limitMs: number): { status: number | null; output: string } {
  // The variable would tell the runner that it runs inside a test.
  const { NODE_TEST_CONTEXT: _, ...inherited } = process.env;
  const args = ["--import=./test/support/watchdog.ts", "--test", "--test-reporter=spec", file];
  const env = { ...inherited, TEST_FILE_LIMIT_MS: String(limitMs) };
  const { status, stdout } = spawnSync(process.execPath, args, {
    cwd: root,
    env,
    encoding: "utf8",
    timeout: 120_000,
  });
  return { status, output: stdout };
}

/** Whether the process runs. An ended process without a parent may stay in `/proc`, without a command line. */
function isAlive(pid: string): boolean {
  return existsSync(`/proc/${pid}`) && readFileSync(`/proc/${pid}/cmdline`, "utf8") !== "";
}

test("the watchdog ends a file that hangs in a hook, says where, and leaves no process", () => {
  const { status, output } = runFile(join(import.meta.dirname, "hanging-file.ts"), 2_000);
  assert.equal(status, 1, output);
  assert.match(output, /watchdog: .*hanging-file\.ts has not ended within 2 s/);
  assert.match(output, /running: no test, a hook or nothing after: a test that passes/);
  assert.match(output, /active: .*TCPServerWrap/);
  const pid = /^child (\d+)/m.exec(output)?.[1] ?? assert.fail(output);
  assert.match(output, new RegExp(`process ${pid}: .*setInterval`));
  assert.ok(!isAlive(pid), "the child has ended");
  assert.match(output, /^ℹ pass 1$/m);
  assert.match(output, /^ℹ fail 1$/m);
});
