import assert from "node:assert/strict";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { login, refreshed, verify } from "../support/auth-calls.ts";
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

/** Lines that do something: no blank ones, no comments, no imports. */
async function codeLines(files: readonly string[]): Promise<number> {
  const texts = await Promise.all(files.map(async (file) => await readFile(file, "utf8")));
  const lines = texts.flatMap((text) =>
    text
      .replaceAll(/^\s*\/\*[^]*?\*\/\s*?$/gm, "")
      .replaceAll(/^(import|export) [^;]*? from "[^"]+";$/gm, "")
      .split("\n"),
  );
  return lines.filter((line) => line.trim() !== "" && !line.trim().startsWith("//")).length;
}

/** What a room may grow to before somebody asks what can go. */
const budgets: Record<string, number> = {
  core: 300,
  jwt: 740,
  resilience: 300,
  stores: 2800,
  guard: 4085,
  "guard/connections": 680,
  issuer: 1850,
  adapters: 1150,
  server: 1525,
  "server/gateway": 280,
  cli: 1500,
};

for (const [room, budget] of Object.entries(budgets)) {
  test(`failure 4: ${room} does its work in at most ${budget} lines`, async () => {
    const published = /stores\/contract[-/]/; // The contract suite is a test that others run too.
    const ofItsOwn = (file: string) =>
      Object.keys(budgets).some((part) => part.startsWith(`${room}/`) && file.includes(`/${part}/`));
    const files = (await sources(room)).filter((file) => !published.test(file) && !ofItsOwn(file));
    const lines = await codeLines(files);
    assert.ok(lines > 0 && lines <= budget, `${room} has ${lines} lines of code`);
  });
}

test("failure 4: what must be trusted can be read in one sitting: core, jwt, ladder and keys", async () => {
  const guard = (await sources("guard")).filter((file) => /\/(ladder|find|decide)\.ts$|\/keys\//.test(file));
  const jwt = (await sources("jwt")).filter((file) => !file.endsWith("/sign.ts")); // Only issuers sign.
  const lines = await codeLines([...(await sources("core")), ...jwt, ...guard]);
  assert.ok(lines <= 2080, `${lines} lines of code`);
});

test("failure 4: it starts with nothing configured, and does its work", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "holdfast-failure-4-"));
  const service = await startService(join(folder, "data"));
  t.after(async () => {
    await service.stop();
    await rm(folder, { recursive: true, force: true });
  });
  const tokens = await login(service.url);
  assert.equal(await verify(service.url, tokens.access_token), 200);
  await refreshed(service.url, tokens.refresh_token);
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
