import assert from "node:assert/strict";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { login, refreshOrFail, verify } from "../support/auth-calls.ts";
import { startService } from "../support/service-process.ts";

/*
 * The outage: 4,100 lines of auth caching that would not start, where 400 did the work, and a boolean
 * "refresh in progress" that raced.
 */

const src = fileURLToPath(new URL("../../src", import.meta.url));

async function sources(folder: string): Promise<string[]> {
  const entries = await readdir(join(src, folder), { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.name.endsWith(".ts"))
    .map((entry) => join(entry.parentPath, entry.name));
}

test("failure 4: it starts with nothing configured, and does its work", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "holdfast-failure-4-"));
  const service = await startService(join(folder, "data"));
  t.after(async () => {
    await service.stop();
    await rm(folder, { recursive: true, force: true });
  });
  const tokens = await login(service.url);
  assert.equal(await verify(service.url, tokens.access_token), 200);
  await refreshOrFail(service.url, tokens.refresh_token);
});

test("failure 4: nobody guards a refresh with a flag; whoever comes second joins the first", async () => {
  for (const file of await sources(".")) {
    assert.doesNotMatch(
      await readFile(file, "utf8"),
      /\b(is|in)_?(Refreshing|Progress|Flight)\b\s*=\s*(true|false)/i,
      file,
    );
  }
});
