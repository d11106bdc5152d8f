import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { test, type TestContext } from "node:test";
import { within } from "./deadline.ts";

/** Runs a file with one test, which has this body. */
async function runFile(t: TestContext, body: string): Promise<{ code: unknown; out: string }> {
  const folder = await mkdtemp(join(tmpdir(), "holdfast-light-hooks-"));
  t.after(async () => await rm(folder, { recursive: true, force: true }));
  const file = join(folder, "any.test.ts");
  await writeFile(file, `import { test } from "node:test";\ntest("the test", async () => { ${body} });\n`);
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  const preload = `--import=${import.meta.resolve("./light-hooks.ts")}`;
  const child = spawn(process.execPath, [preload, "--test-reporter=tap", file], { env });
  t.after(() => child.kill("SIGKILL"));
  const [out, [code]] = await within(
    Promise.all([text(child.stdout), once(child, "close")]),
    60_000,
    "the end of the file",
  );
  return { code, out };
}

const isIgnored = Number(process.versions.node.split(".", 1)[0]) < 24;

test(
  "the runner follows no promises of a file",
  { skip: isIgnored && "Node 22 does not know the option" },
  async (t) => {
    const body = `const { executionAsyncId } = await import("node:async_hooks");
    const before = executionAsyncId();
    await null;
    if (executionAsyncId() !== before) throw new Error("the promise has an id of its own");`;
    const { code, out } = await runFile(t, body);
    assert.equal(code, 0, out);
  },
);

test("a failure after a promise names its test", async (t) => {
  const { code, out } = await runFile(t, 'await null; throw new Error("expected");');
  assert.equal(code, 1);
  assert.match(out, /not ok 1 - the test/);
});

test("a file fails when a promise rejects that no test awaits", async (t) => {
  const pause = "await new Promise((resolve) => setImmediate(resolve));";
  const { code, out } = await runFile(t, `void Promise.reject(new Error("expected")); ${pause}`);
  assert.equal(code, 1);
  assert.match(out, /expected/);
});

test("a file passes when nothing fails", async (t) => {
  const { code, out } = await runFile(t, "await null;");
  assert.equal(code, 0, out);
});

test("an error in a timer fails the test that started the timer", async (t) => {
  const timer = 'setTimeout(() => { setImmediate(resolve); throw new Error("expected"); })';
  const { code, out } = await runFile(t, `await new Promise((resolve) => ${timer});`);
  assert.equal(code, 1);
  assert.match(out, /not ok 1 - the test/);
});
