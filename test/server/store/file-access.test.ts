import assert from "node:assert/strict";
import { chmod, readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { startService } from "../../../src/server/serve.ts";
import { temporarySettings } from "../temporary-settings.ts";

const skip = process.platform === "win32" ? "Windows has no file modes" : false;

/** Starts the service once, and returns its settings and the files of its machine that hold a secret. */
async function startedOnce(): Promise<[Awaited<ReturnType<typeof temporarySettings>>, string[]]> {
  const settings = await temporarySettings();
  const running = await startService({ ...settings, bootstrapUser: undefined });
  await running.stop();
  const folder = `${settings.dataDir}.local`;
  const names = await readdir(folder, { withFileTypes: true });
  const files = names.filter((one) => one.isFile()).map(({ name }) => join(folder, name));
  assert.ok(files.length >= 3, files.join());
  return [settings, files];
}

/** The warnings about files while `work` runs. */
async function warningsOf(t: TestContext, work: () => Promise<void>): Promise<string[]> {
  const emit = t.mock.method(process, "emitWarning", () => undefined);
  await work();
  const messages = emit.mock.calls.map(({ arguments: [message] }) => String(message));
  emit.mock.restore();
  return messages.filter((message) => message.includes("can read"));
}

test("a secret file that other users can write is refused by name", { skip }, async () => {
  const [settings, files] = await startedOnce();
  for (const file of files.filter((one) => /secret|store/.test(one))) {
    const { mode } = await stat(file);
    assert.equal(mode & 0o777, 0o600);
    for (const writable of [0o666, 0o602, 0o622]) {
      await chmod(file, writable);
      await assert.rejects(startService(settings), {
        code: "invalid_option",
        message: `${file} can be written by other users: chmod 600 ${file}`,
      });
    }
    await chmod(file, 0o600);
  }
  await (await startService(settings)).stop();
});

test(
  "a secret file that other users can read is warned of, and one of the own group is not",
  { skip },
  async (t) => {
    const [settings, files] = await startedOnce();
    const secret = files.find((one) => one.endsWith("secret")) ?? assert.fail();
    const restart = async () => await (await startService(settings)).stop();
    await chmod(secret, 0o644);
    const warnings = await warningsOf(t, restart);
    assert.deepEqual(
      [...new Set(warnings)],
      [`${secret} holds a secret, and other users can read it: chmod 600 ${secret}`],
    );
    await chmod(secret, 0o660);
    assert.deepEqual(await warningsOf(t, restart), []);
  },
);
