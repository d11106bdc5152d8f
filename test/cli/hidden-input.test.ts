import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { test } from "node:test";
import { temporaryDataDir } from "../server/temporary-settings.ts";
import { cli } from "../support/cli.ts";
import { post } from "../support/auth-calls.ts";
import { serviceEnvironment, startService } from "../support/service-process.ts";

/** `script` gives a command a terminal of its own. On CI the tests that need it are never skipped. */
const noScript =
  spawnSync("script", ["--version"]).status === 0 || process.env["CI"] === "true"
    ? false
    : "script is not installed";

/** Runs a command in a terminal, and types each answer when its question is shown. Returns all that the terminal showed. */
async function typeInto(
  data: string,
  args: readonly string[],
  answers: readonly (readonly [question: string, keys: string])[],
): Promise<{ readonly code: number | null; readonly shown: string }> {
  const command = [process.execPath, "--no-warnings", cli, ...args].map((part) => `'${part}'`).join(" ");
  const child = spawn("script", ["-qec", command, "/dev/null"], { env: serviceEnvironment(data) });
  let shown = "";
  let next = 0;
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    shown += text;
    const [question, keys] = answers[next] ?? [];
    if (question === undefined || !shown.endsWith(question)) return;
    next++;
    child.stdin.write(keys ?? "");
  });
  await once(child, "close");
  return { code: child.exitCode, shown };
}

test(
  "law 5: a terminal asks twice for a new password and shows none of its keys",
  { skip: noScript },
  async (t) => {
    const data = await temporaryDataDir();
    const service = await startService(data);
    t.after(async () => await service.stop());
    const question = "Repeat: ";
    const add = async (name: string, first: string, second: string) =>
      await typeInto(
        data,
        ["user", "add", name],
        [
          [": ", first],
          [question, second],
        ],
      );

    const added = await add("bob", "hidden pasx\u007fsword\r", "hidden password\r");
    assert.equal(added.code, 0, added.shown);
    assert.match(added.shown, /Repeat: /);
    assert.doesNotMatch(added.shown, /hidden|pasx/);
    const signIn = async (username: string, password: string) =>
      (await post(service.url, "/auth/login", { username, password })).status;
    assert.equal(await signIn("bob", "hidden password"), 200);

    const differing = await add("carol", "one long password\r", "another password\r");
    assert.notEqual(differing.code, 0);
    assert.match(differing.shown, /the two inputs differ/);
    const interrupted = await add("dave", "half a pass\u0003", "");
    assert.notEqual(interrupted.code, 0);
    assert.match(interrupted.shown, /interrupted/);
    assert.equal(await signIn("carol", "one long password"), 401);
  },
);
