import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { metricTotal } from "../support/metric-values.ts";
import { backupMetricSource } from "../../src/server/backup-metrics.ts";
import { localFiles } from "../../src/server/store/local-store.ts";
import { sqliteStore } from "../../src/stores/sqlite.ts";
import { temporaryDataDir } from "../server/temporary-settings.ts";
import { login, refreshOrFail } from "../support/auth-calls.ts";
import { serviceEnvironment, startService } from "../support/service-process.ts";
import { runHoldfast } from "./cli-process.ts";
import { cli } from "../support/cli.ts";

/** The names of the files that an interrupted backup leaves. */
async function drafts(folder: string): Promise<string[]> {
  return (await readdir(folder)).filter((name) => name.endsWith(".part"));
}

test("fault 42: a backup beside a service under load is complete and private, and replaces no file", async (t) => {
  const data = await temporaryDataDir();
  const service = await startService(data);
  t.after(async () => await service.stop());
  const folder = dirname(data);
  const file = join(folder, "backup.db");
  const before = await login(service.url);

  const over = new AbortController();
  const load = async () => {
    for (let { refresh_token: token } = await login(service.url); !over.signal.aborted;) {
      ({ refresh_token: token } = await refreshOrFail(service.url, token));
    }
  };
  const loads = [load(), load(), load()];
  const done = await runHoldfast(["backup", file], { data });
  over.abort();
  await Promise.all(loads);

  const { size, mode } = await stat(file);
  assert.deepEqual(done, { code: 0, out: `backed up to ${file} (${size} bytes)\n`, err: "" });
  assert.equal(mode & 0o777, 0o600);
  assert.deepEqual(await drafts(folder), []);
  const secret = (await readFile(localFiles(data).secret, "utf8")).trim();
  assert.ok(!(await readFile(file, "latin1")).includes(secret));

  const bytes = await readFile(file);
  const again = await runHoldfast(["backup", file], { data });
  assert.equal(again.code, 1);
  assert.match(again.err, /exists already: a backup does not replace a file/);
  assert.ok(bytes.equals(await readFile(file)));

  const copy = await sqliteStore({ file });
  assert.equal((await copy.sessions.get(before.session_id))?.generation, 1);
  assert.equal((await copy.users.list({ limit: 10 })).length, 1);
  await copy.close();
});

test("a failed backup reports the reason, and leaves no file behind", async () => {
  const data = await temporaryDataDir();
  const service = await startService(data);
  await service.stop();
  const folder = dirname(data);
  const failures: [string, RegExp, Record<string, string>?][] = [
    [join(folder, "nowhere", "backup.db"), /nowhere\/backup\.db cannot be written \(ENOENT\)/],
    [data, /exists already/],
    [
      join(folder, "backup.db"),
      /there is no data file .*HOLDFAST_DATA_DIR/,
      { HOLDFAST_DATA_DIR: `${data}.other` },
    ],
    [
      join(folder, "backup.db"),
      /HOLDFAST_STORE=redis: this command is for the embedded store/,
      { HOLDFAST_STORE: "redis", REDIS_URL: "redis://127.0.0.1:1", HOLDFAST_SECRET: "s".repeat(32) },
    ],
  ];
  for (const [file, message, settings = {}] of failures) {
    const { code, err } = await runHoldfast(["backup", file], { data, settings });
    assert.equal(code, 1);
    assert.match(err, message);
    assert.doesNotMatch(err, /\n\s+at /);
  }
  assert.equal((await runHoldfast(["backup"], { data })).code, 2);
  assert.deepEqual((await readdir(folder)).toSorted(), ["data", "data.local"]);
});

test("fault 42: refuses to back up damaged data, so the last good backup stays the last one", async () => {
  const data = await temporaryDataDir();
  await (await startService(data)).stop();
  const bytes = await readFile(localFiles(data).data);
  await writeFile(localFiles(data).data, bytes.fill(0xa5, 4096, bytes.length - 4096));
  const { code, err } = await runHoldfast(["backup", `${data}.backup`], { data });
  assert.equal(code, 1);
  assert.match(err, /damaged/);
  await assert.rejects(stat(`${data}.backup`));
});

/** Creates a data file of some megabytes, so that copying takes some time. */
async function largeData(data: string): Promise<void> {
  await mkdir(data);
  await (await sqliteStore({ file: localFiles(data).data })).close();
  const db = new DatabaseSync(localFiles(data).data);
  db.exec(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 30000)
    INSERT INTO audit ("at", kind, detail) SELECT i, 'login', hex(randomblob(250)) FROM n`);
  db.close();
}

test("the time of the last back-up is recorded for the metrics of the service", async () => {
  const data = await temporaryDataDir();
  await largeData(data);
  const source = backupMetricSource(localFiles(data).lastBackup);
  const lastBackup = () => metricTotal(source, "holdfast_backup_last_success_timestamp_seconds", {});
  assert.equal(lastBackup(), 0, "there is no sample yet");
  const startedAt = Date.now() / 1_000;
  assert.equal((await runHoldfast(["backup", `${data}.backup`], { data })).code, 0);
  assert.ok(lastBackup() >= Math.floor(startedAt));
});

test("fault 42: a full disk leaves no backup", { skip: process.platform === "win32" }, async () => {
  const data = await temporaryDataDir();
  await largeData(data);
  const { code, err } = await runHoldfast(["backup", `${data}.backup`], { data, fileBlocks: 2048 });
  assert.equal(code, 1, err);
  assert.match(err, /the copy of .* cannot be used: /);
  assert.deepEqual((await readdir(dirname(data))).toSorted(), ["data"]);
});

test("fault 42: a killed backup leaves a complete file or no file", async () => {
  const data = await temporaryDataDir();
  await largeData(data);
  const folder = dirname(data);
  let whole = 0;
  let interrupted = 0;
  for (let round = 0; round < 6; round++) {
    const file = join(folder, `backup-${round}.db`);
    const child = spawn(process.execPath, ["--no-warnings", cli, "backup", file], {
      env: serviceEnvironment(data),
      stdio: "ignore",
    });
    const exited = once(child, "exit");
    // The kill comes after the command began to write.
    const known = (await drafts(folder)).length;
    while (child.exitCode === null && (await drafts(folder)).length === known) await pause(1);
    await pause(round * 10);
    child.kill("SIGKILL");
    await exited;
    const found = await stat(file).catch(() => null);
    if (found === null) {
      interrupted++;
      continue;
    }
    whole++;
    const db = new DatabaseSync(file, { readOnly: true });
    assert.equal(db.prepare("SELECT count(*) AS n FROM audit").get()?.["n"], 30_000);
    assert.equal(db.prepare("PRAGMA integrity_check").get()?.["integrity_check"], "ok");
    db.close();
  }
  assert.equal(whole + interrupted, 6);
  assert.ok(interrupted > 0, "no round was interrupted");
});
