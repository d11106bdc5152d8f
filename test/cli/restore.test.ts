import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { cp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test, type TestContext } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { localFiles } from "../../src/server/store/local-store.ts";
import { sqliteStore } from "../../src/stores/sqlite.ts";
import { temporaryDataDir } from "../server/temporary-settings.ts";
import { login, post, refresh, refreshOrFail, verify } from "../support/auth-calls.ts";
import { serviceEnvironment, startService, type ServiceProcess } from "../support/service-process.ts";
import { runHoldfast } from "./cli-process.ts";
import { cli } from "../support/cli.ts";

async function started(t: TestContext, data: string): Promise<ServiceProcess> {
  const service = await startService(data);
  t.after(async () => await service.stop("SIGKILL"));
  return service;
}

async function done(args: readonly string[], data: string): Promise<string> {
  const { code, out, err } = await runHoldfast(args, { data });
  assert.equal(code, 0, err);
  return out;
}

/** Waits until the token gets 401. Before that the answer may be 503, and never 200. */
async function isRefused(base: string, accessToken: string): Promise<boolean> {
  const deadline = performance.now() + 5000;
  for (let status = 503; performance.now() < deadline; await pause(50)) {
    status = await verify(base, accessToken);
    if (status !== 503) return status === 401;
  }
  return false;
}

/** Logs in with the first user's password, and returns the status. */
async function loginStatus({ url }: ServiceProcess): Promise<number> {
  return (await post(url, "/auth/login", { username: "alice", password: "correct horse battery" })).status;
}

test("law 3, law 8: after a restore no earlier token is good, whether revoked, spent or lost since the backup", async (t) => {
  const data = await temporaryDataDir();
  const file = `${data}.backup`;
  const first = await started(t, data);
  const idle = await login(first.url);
  const revoked = await login(first.url);
  const spent = await login(first.url);
  await done(["backup", file], data);

  const since = await login(first.url);
  const next = await refreshOrFail(first.url, spent.refresh_token);
  await post(first.url, "/auth/logout", { refresh_token: revoked.refresh_token });
  assert.equal(await verify(first.url, revoked.access_token), 401);
  await done(["keys", "rotate"], data);
  await done(["keys", "rotate"], data);
  await pause(1100); // The service looks for a key that it does not know.
  const keys = (await done(["keys", "list"], data)).split("\n").map((line) => line.split("\t")[0]);
  assert.equal(await first.stop(), 0);

  const said = await done(["restore", file], data);
  assert.match(
    said,
    new RegExp(`^restored ${localFiles(data).data} from ${file}\nthe previous data are kept as `),
  );
  const second = await started(t, data);
  for (const tokens of [idle, revoked, spent, since, next]) {
    assert.ok(await isRefused(second.url, tokens.access_token));
    const answer = await refresh(second.url, tokens.refresh_token);
    assert.deepEqual(
      [answer.status, ((await answer.json()) as { error: string }).error],
      [400, "invalid_grant"],
    );
  }
  const fresh = await login(second.url);
  assert.equal(await verify(second.url, fresh.access_token), 200);
  await refreshOrFail(second.url, fresh.refresh_token);
  for (const line of (await done(["keys", "list"], data)).trim().split("\n")) {
    assert.ok(!keys.includes(line.split("\t")[0] ?? ""));
  }
  assert.equal(await second.stop(), 0);

  // A follower of the old log must read a snapshot, which revokes every earlier key.
  const before = await sqliteStore({ file });
  const { position } = await before.revocations.snapshot();
  await before.close();
  const store = await sqliteStore({ file: localFiles(data).data });
  t.after(async () => await store.close());
  assert.deepEqual(await store.revocations.after(position), { status: "gap" });
  const { entries } = await store.revocations.snapshot();
  const revokedKeys = entries.filter(({ revocation }) => revocation.kind === "key");
  for (const kid of keys.filter((one) => one !== "")) {
    assert.ok(
      revokedKeys.some(({ revocation }) => revocation.id === kid),
      kid,
    );
  }
  assert.equal(
    (await store.audit.recent(20)).find(({ kind }) => kind === "data_restored")?.detail,
    "sessions ended, keys replaced",
  );
});

test("a restore on another machine, after the last service has stopped, keeps every session", async (t) => {
  const data = await temporaryDataDir();
  const file = `${data}.backup`;
  const first = await started(t, data);
  const tokens = await login(first.url);
  const ended = await login(first.url);
  await post(first.url, "/auth/logout", { refresh_token: ended.refresh_token });
  assert.equal(await first.stop(), 0);
  await done(["backup", file], data);

  const other = join(dirname(data), "other");
  const lacking = await runHoldfast(["restore", file, "--sessions", "keep"], { data: other });
  assert.equal(lacking.code, 1);
  assert.match(lacking.err, /the secret of .* is not on this machine: put back .*other\.local.secret/);
  await cp(localFiles(data).secret, localFiles(other).secret);
  assert.equal(
    await done(["restore", file, "--sessions", "keep"], other),
    `restored ${localFiles(other).data} from ${file}\n`,
  );
  assert.deepEqual(await readdir(other), ["holdfast.db"]);
  assert.equal((await stat(localFiles(other).data)).mode & 0o777, 0o600);

  const second = await started(t, other);
  assert.equal(await verify(second.url, tokens.access_token), 200);
  assert.equal(await verify(second.url, ended.access_token), 401);
  const next = await refreshOrFail(second.url, tokens.refresh_token);
  assert.equal((await refreshOrFail(second.url, tokens.refresh_token)).refresh_token, next.refresh_token);
  assert.equal((await refresh(second.url, ended.refresh_token)).status, 400);
});

test("refuses a restore while a service uses the data, and the service goes on", async (t) => {
  const data = await temporaryDataDir();
  const service = await started(t, data);
  const tokens = await login(service.url);
  await done(["backup", `${data}.backup`], data);
  const { code, err } = await runHoldfast(["restore", `${data}.backup`], { data });
  assert.equal(code, 1);
  assert.match(err, /holdfast\.db is in use: stop every service/);
  await refreshOrFail(service.url, tokens.refresh_token);
  assert.deepEqual(
    (await readdir(data)).filter((name) => name.includes("restored")),
    [],
  );
});

test("refuses a file that is no backup of this machine's store, and keeps the data", async (t) => {
  const data = await temporaryDataDir();
  const service = await started(t, data);
  const tokens = await login(service.url);
  await service.stop();
  const good = `${data}.backup`;
  await done(["backup", good], data);
  const bytes = await readFile(good);
  const other = await temporaryDataDir();
  await (await startService(other)).stop();
  await done(["backup", `${other}.backup`], other);
  const neverServed = `${data}.never`;
  await (await sqliteStore({ file: neverServed })).close();
  const make = async (name: string, content: Buffer | string) => {
    await writeFile(join(dirname(data), name), content);
    return join(dirname(data), name);
  };
  const refusals: [string, RegExp, Record<string, string>?][] = [
    [`${data}.nowhere`, /there is no backup/],
    [await make("nonsense", "nonsense".repeat(1000)), /damaged or not a database/],
    [await make("empty", ""), /never been served/],
    [await make("damaged", Buffer.from(bytes).fill(0xa5, 4096, bytes.length - 4096)), /damaged/],
    [`${other}.backup`, /belongs to another store than .*local.store names/],
    [neverServed, /has never been served/],
    [good, /belongs to another secret/, { HOLDFAST_SECRET: "another".repeat(6) }],
    [dirname(data), /cannot be used|damaged/],
  ];
  const standing = await readFile(localFiles(data).data);
  for (const [file, message, settings = {}] of refusals) {
    const { code, err } = await runHoldfast(["restore", file], { data, settings });
    assert.equal(code, 1, file);
    assert.match(err, message);
    assert.doesNotMatch(err, /\n\s+at /);
    assert.ok(!err.includes("anotheranother"));
  }
  assert.ok(standing.equals(await readFile(localFiles(data).data)));
  assert.deepEqual(await readdir(data), ["holdfast.db"]);
  assert.equal((await runHoldfast(["restore", good, "--sessions", "some"], { data })).code, 2);
  const again = await started(t, data);
  await refreshOrFail(again.url, tokens.refresh_token);
});

test("fault 62: restores data that vanished under a running service, and the service does not change the new data", async (t) => {
  const data = await temporaryDataDir();
  const { data: file } = localFiles(data);
  const left = await started(t, data);
  await done(["backup", `${data}.backup`], data);
  const lost = await login(left.url);
  assert.ok((await stat(`${file}-wal`)).size > 0);
  await rm(file);
  assert.match(await done(["restore", `${data}.backup`], data), /^restored .*\n$/);
  assert.equal(await loginStatus(left), 503);
  const next = await started(t, data);
  assert.equal((await refresh(next.url, lost.refresh_token)).status, 400);
  const tokens = await login(next.url);
  assert.equal(await left.stop(), 0);
  await next.stop("SIGKILL");
  const last = await started(t, data);
  await refreshOrFail(last.url, tokens.refresh_token);
});

test("fault 42: restores damaged data, keeps them aside, and mixes their log into no other file", async (t) => {
  const data = await temporaryDataDir();
  const { data: file } = localFiles(data);
  await (await startService(data)).stop();
  await done(["backup", `${data}.backup`], data);
  const service = await started(t, data);
  const lost = await login(service.url);
  await service.stop("SIGKILL");
  assert.ok((await stat(`${file}-wal`)).size > 0);
  const bytes = await readFile(file);
  await writeFile(file, bytes.fill(0xa5));
  const said = await done(["restore", `${data}.backup`], data);
  const aside = /kept as (.*)\n/.exec(said)?.[1] ?? "";
  assert.equal((await stat(aside)).size, bytes.length);
  const next = await started(t, data);
  assert.equal((await refresh(next.url, lost.refresh_token)).status, 400);
  await login(next.url);
});

test("after an upgrade an earlier backup can be restored, and the data of the newer version are kept aside", async (t) => {
  const data = await temporaryDataDir();
  const service = await started(t, data);
  await done(["backup", `${data}.backup`], data);
  const newer = new DatabaseSync(localFiles(data).data);
  newer.exec("PRAGMA user_version = 9999");
  newer.close();
  const inUse = await runHoldfast(["restore", `${data}.backup`], { data });
  assert.match(inUse.err, /is in use/);
  await service.stop();
  assert.match(await done(["restore", `${data}.backup`], data), /the previous data are kept as/);
  await login((await started(t, data)).url);
});

test(
  "fault 42: a full disk during a restore leaves the data unchanged",
  { skip: process.platform === "win32" },
  async () => {
    const data = await temporaryDataDir();
    await (await startService(data)).stop();
    await done(["backup", `${data}.backup`], data);
    const standing = await readFile(localFiles(data).data);
    const { code, err } = await runHoldfast(["restore", `${data}.backup`], { data, fileBlocks: 64 });
    assert.equal(code, 1, err);
    assert.match(err, /^holdfast: the copy of .* cannot be used: /);
    assert.ok(standing.equals(await readFile(localFiles(data).data)));
    assert.deepEqual(await readdir(data), ["holdfast.db"]);
  },
);

test("fault 42: a killed restore leaves the old data or the new data", async () => {
  const data = await temporaryDataDir();
  await (await startService(data)).stop();
  const file = `${data}.backup`;
  await done(["backup", file], data);
  const outcomes = new Set<string>();
  for (let round = 0; round < 6; round++) {
    const standing = await readFile(localFiles(data).data);
    const child = spawn(process.execPath, ["--no-warnings", cli, "restore", file], {
      env: serviceEnvironment(data),
      stdio: "ignore",
    });
    const exited = once(child, "exit");
    const began = async () => (await readdir(data)).some((name) => name.includes("restored"));
    while (child.exitCode === null && !(await began())) await pause(1);
    await pause(round * 16);
    child.kill("SIGKILL");
    await exited;
    outcomes.add(standing.equals(await readFile(localFiles(data).data)) ? "old" : "new");
    const service = await startService(data);
    assert.equal(await loginStatus(service), 200);
    await service.stop();
  }
  assert.ok(outcomes.has("old"), "no round was interrupted");
  assert.match(await done(["restore", file], data), /^restored/);
});
