import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { simulate } from "../../../examples/simulated-service.ts";

const read = (path: string) => readFileSync(new URL(`../../../${path}`, import.meta.url), "utf8");

test("the simulated service of the examples tells no user that a new token is invalid, and replays a seed exactly", async () => {
  const first = await simulate(1);
  const answers = first.history.filter(({ kind }) => kind === "answer");
  assert.ok(answers.length > 20, "the user got answers");
  assert.ok(
    answers.some(({ data }) => data["status"] !== 200),
    "the faults were seen",
  );
  const wrong = first.history.filter(({ kind, data }) => kind === "uncaught" || data["status"] === 401);
  assert.deepEqual(wrong, []);
  assert.equal((await simulate(1)).hash, first.hash);
});

test("docs/extend/simulation.md shows the simulated service of the examples", () => {
  const body = read("examples/simulated-service.ts").replace("export async function", "async function");
  const start = body.indexOf("/** Two processes");
  assert.ok(start > 0 && read("docs/extend/simulation.md").includes(body.slice(start)));
});

test("docs/extend/simulation.md begins with a small test that passes", () => {
  const [, code = ""] = /^```ts\n([^]*?)^```$/m.exec(read("docs/extend/simulation.md")) ?? [];
  assert.ok(code.split("\n").length < 30, "the first example is small");
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  const options = ["--conditions=holdfast-source", "--input-type=module", "--test-reporter=tap"];
  const { status, stdout } = spawnSync(process.execPath, [...options, "--eval", code], {
    env,
    encoding: "utf8",
  });
  assert.match(stdout, /^# pass 1$/m);
  assert.equal(status, 0, stdout);
});

test("the simulated service of the examples runs with five seeds in one process without a warning", async (t) => {
  const warnings: string[] = [];
  const listen = ({ message }: Error) => void warnings.push(message);
  process.on("warning", listen);
  t.after(() => void process.off("warning", listen));
  for (let seed = 1; seed <= 5; seed++) await simulate(seed);
  // Node emits a warning in the next tick.
  await setImmediate();
  assert.deepEqual(warnings, []);
});
