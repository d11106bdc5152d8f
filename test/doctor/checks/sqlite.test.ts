import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmod, chown, open, rm, writeFile } from "node:fs/promises";
import { DatabaseSync } from "node:sqlite";
import { test, type TestContext } from "node:test";
import { sqliteCheck } from "../../../src/doctor/checks/sqlite.ts";
import { judgeFileSystem } from "../../../src/doctor/file-system.ts";
import type { Settings } from "../../../src/server/settings.ts";
import { assertHealthy, assertProblem, findings, makeContext, makeSettings, serve } from "../fixture.ts";

const check = async (settings: Settings) => await findings(sqliteCheck, await makeContext(settings));

async function stoppedService(t: TestContext): Promise<{ settings: Settings; file: string }> {
  const settings = await makeSettings();
  await (await serve(t, settings)).stop();
  return { settings, file: `${settings.dataDir}/holdfast.db` };
}

test("sqlite: the data of a running and of a stopped service are well", async (t) => {
  const settings = await makeSettings();
  const service = await serve(t, settings);
  assertHealthy(await check(settings));
  await service.stop();
  assertHealthy(await check(settings));
});

test("sqlite: a missing file is a failure when the marker names a store", async (t) => {
  const { settings, file } = await stoppedService(t);
  await rm(file);
  assertProblem(await check(settings), "fail", /holdfast\.db is missing/, /restore a backup/);
});

test("sqlite: a damaged file and a file that is no database are failures", async (t) => {
  const { settings, file } = await stoppedService(t);
  const db = new DatabaseSync(file);
  db.exec(
    "CREATE TABLE filler (a TEXT); INSERT INTO filler SELECT hex(randomblob(2000)) FROM json_each('[1,2,3,4,5,6,7,8,9]')",
  );
  db.close();
  const handle = await open(file, "r+");
  const { size } = await handle.stat();
  await handle.write(Buffer.alloc(size - 4096 * 4, 0x5a), 0, size - 4096 * 4, 4096 * 4);
  await handle.close();
  assertProblem(await check(settings), "fail", /damaged|malformed|cannot be read/, /restore a backup/);
  const empty = await open(file, "w");
  await empty.write(
    "this is the file of another program, and longer than a header of a database would be".repeat(9),
  );
  await empty.close();
  assertProblem(await check(settings), "fail", /cannot be read: .*not a database/, /restore a backup/);
});

test("sqlite: a file that another process uses alone is a failure", async (t) => {
  const { settings, file } = await stoppedService(t);
  const db = new DatabaseSync(file);
  t.after(() => db.close());
  db.exec(
    "PRAGMA locking_mode = EXCLUSIVE; BEGIN IMMEDIATE; COMMIT; CREATE TABLE alone (a); DROP TABLE alone",
  );
  assertProblem(await check(settings), "fail", /is locked/, /wait for the restore|end the process/);
});

test("sqlite: a file that every user can read is a warning, and one that they can write to is a failure", async (t) => {
  const { settings, file } = await stoppedService(t);
  await chmod(file, 0o644);
  assertProblem(await check(settings), "warn", /every user .+ can read/, /chmod 600/);
  await chmod(file, 0o666);
  assertProblem(await check(settings), "fail", /can write to .+holdfast\.db/, /chmod 600/);
});

test(
  "sqlite: a file of root in the directory of another user is a failure",
  { skip: process.getuid?.() !== 0 && "changing the owner needs root" },
  async (t) => {
    const { settings, file } = await stoppedService(t);
    await chown(settings.dataDir, 1000, 1000);
    assertProblem(await check(settings), "fail", /belongs to root/, /chown --reference=/);
    await chown(file, 1000, 1000);
    assertHealthy(await check(settings));
  },
);

test("sqlite: the disk is judged by its kind, its room and its files", () => {
  const good = { type: 0xef53, freeBytes: 1e9, freeFiles: 1e6, neededBytes: 1e6 };
  const judge = (change: Partial<typeof good>) => judgeFileSystem("/data", { ...good, ...change });
  assertProblem(judge({ type: 0x6969 }), "fail", /\/data is on NFS/, /a disk of this machine/);
  assertProblem(judge({ freeBytes: 0 }), "fail", /is full: 0\.0 MB/, /make room/);
  assertProblem(judge({ freeFiles: 0 }), "fail", /no further file/, /inodes/);
  assertProblem(judge({ freeBytes: 1e8, neededBytes: 2e8 }), "warn", /has 95 MB left/, /second copy/);
});

test(
  "sqlite: a full disk is a failure",
  { skip: process.getuid?.() !== 0 && "mounting a small disk needs root" },
  async (t) => {
    const settings = await makeSettings();
    const mount = ["-t", "tmpfs", "-o", "size=2m,mode=0700", "tmpfs", settings.dataDir];
    if (
      spawnSync("sh", ["-c", 'mkdir -m 700 "$0" && exec mount "$@"', settings.dataDir, ...mount]).status !== 0
    )
      return t.skip("a small disk cannot be mounted here");
    t.after(() => spawnSync("umount", ["-l", settings.dataDir]));
    await serve(t, settings);
    assertProblem(await check(settings), "warn", /has 1\.\d MB left/, /make room/);
    await assert.rejects(writeFile(`${settings.dataDir}/filler`, Buffer.alloc(4_000_000)), {
      code: "ENOSPC",
    });
    assertProblem(await check(settings), "fail", /is full: 0\.0 MB are free/, /make room/);
  },
);
