import assert from "node:assert/strict";
import { readFile, stat, writeFile } from "node:fs/promises";
import { test, type TestContext } from "node:test";
import { localFiles } from "../../src/server/store/local-store.ts";
import { sqliteStore } from "../../src/stores/sqlite.ts";
import { temporaryDataDir } from "../server/temporary-settings.ts";
import { login, refresh, verify, type Tokens } from "../support/auth-calls.ts";
import { startService } from "../support/service-process.ts";
import { runHoldfast } from "./cli-process.ts";

const passphrase = "correct horse battery staple";

interface Exported {
  readonly data: string;
  readonly file: string;
  readonly tokens: Tokens;
}

/** Exports the keys of a service that is then removed, and returns a token that one of them signed. */
async function exported(t: TestContext): Promise<Exported> {
  const data = await temporaryDataDir();
  const file = `${data}.keys`;
  const service = await startService(data);
  t.after(async () => await service.stop("SIGKILL"));
  const tokens = await login(service.url);
  const done = await runHoldfast(["keys", "export", file], { data, input: `${passphrase}\n` });
  assert.deepEqual(done, { code: 0, out: `exported 2 keys to ${file}\n`, err: "" });
  assert.equal(await service.stop(), 0);
  return { data, file, tokens };
}

async function kids(data: string): Promise<string[]> {
  const store = await sqliteStore({ file: localFiles(data).data });
  const keys = await store.keys.list();
  await store.close();
  return keys.map(({ kid }) => kid);
}

async function lastAudit(data: string): Promise<unknown[]> {
  const store = await sqliteStore({ file: localFiles(data).data });
  const [last] = await store.audit.recent(1);
  await store.close();
  return [last?.kind, last?.detail];
}

test("law 5: exported signing keys are sealed and private, and an audit event records the export", async (t) => {
  const { data, file } = await exported(t);
  assert.equal((await stat(file)).mode & 0o777, 0o600);
  const text = await readFile(file, "utf8");
  for (const kid of await kids(data)) assert.ok(!text.includes(kid));
  assert.deepEqual(Object.keys(JSON.parse(text) as object), ["format", "salt", "sealed"]);
  assert.deepEqual(await lastAudit(data), ["keys_exported", (await kids(data)).join(" ")]);
});

test("a new store with imported keys accepts the access tokens that they signed, and an audit event records the import", async (t) => {
  const { data, file, tokens } = await exported(t);
  const other = await temporaryDataDir();
  const done = await runHoldfast(["keys", "import", file], { data: other, input: passphrase });
  assert.deepEqual(done, { code: 0, out: `imported 2 keys from ${file}\n`, err: "" });
  assert.deepEqual(await lastAudit(other), ["keys_imported", (await kids(other)).join(" ")]);
  const service = await startService(other);
  t.after(async () => await service.stop("SIGKILL"));
  assert.deepEqual(await kids(other), await kids(data));
  assert.equal(await verify(service.url, tokens.access_token), 200);
  assert.equal(await verify(service.url, (await login(service.url)).access_token), 200);
  // The session was in the removed store.
  assert.equal((await refresh(service.url, tokens.refresh_token)).status, 400);
});

test("rejects an impossible export or import by name, and replaces no file", async (t) => {
  const { data, file } = await exported(t);
  const before = await kids(data);
  const text = await readFile(file, "utf8");
  const damaged = `${file}.damaged`;
  await writeFile(damaged, text.replace(/"sealed":"...../, '"sealed":"AAAAA'));
  const nonsense = `${file}.nonsense`;
  await writeFile(nonsense, "{}");
  const never = await temporaryDataDir();
  const refusals: [args: string[], input: string, message: RegExp, data: string][] = [
    [["keys", "export", file], passphrase, /exists already: an export does not replace a file/, data],
    [["keys", "export", `${file}.2`], "short", /the passphrase must be at least 16 bytes/, data],
    [["keys", "export", `${file}.2`], passphrase, /there is no data file/, never],
    [["keys", "import", file], passphrase, /has signing keys already: only a new store/, data],
    [["keys", "import", file], "another passphrase", /the passphrase does not open/, never],
    [["keys", "import", damaged], passphrase, /or the file is damaged/, never],
    [["keys", "import", nonsense], passphrase, /is not an export of signing keys/, never],
    [["keys", "import", `${file}.nowhere`], passphrase, /cannot be read \(ENOENT\)/, never],
  ];
  for (const [args, input, message, where] of refusals) {
    const { code, err } = await runHoldfast(args, { data: where, input });
    assert.equal(code, 1, args.join(" "));
    assert.match(err, message);
    assert.ok(!err.includes(input));
    assert.doesNotMatch(err, /\n\s+at /);
  }
  assert.equal(await readFile(file, "utf8"), text);
  assert.deepEqual(await kids(data), before);
  await assert.rejects(stat(`${file}.2`));
  await assert.rejects(stat(never));
});
