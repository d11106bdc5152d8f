import assert from "node:assert/strict";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { temporaryDataDir } from "../server/temporary-settings.ts";
import { login, measureUntil, post, refresh, verify } from "../support/auth-calls.ts";
import { startService } from "../support/service-process.ts";
import { runHoldfast } from "./cli-process.ts";

const DEADLINE_MS = 5000;

test("law 3: one command locks a user out of a running service", async (t) => {
  const data = await temporaryDataDir();
  const service = await startService(data);
  t.after(async () => await service.stop());
  const cli = async (...args: string[]) =>
    await runHoldfast(["user", ...args], { data, input: "password of bob" });
  const signIn = async (username: string, password: string) =>
    (await post(service.url, "/auth/login", { username, password })).status;

  assert.equal((await cli("add", "Bob", "--scope", "holdfast:admin")).code, 0);
  assert.match((await cli("add", "bob")).err, /there is a user bob already/);
  const tokens = await login(service.url);
  assert.deepEqual(await cli("disable", "alice"), { code: 0, out: "disabled alice\n", err: "" });
  const lockedOutMs = await measureUntil(
    async () => (await verify(service.url, tokens.access_token)) === 401,
    DEADLINE_MS,
  );
  assert.ok(lockedOutMs < DEADLINE_MS);
  assert.equal((await refresh(service.url, tokens.refresh_token)).status, 400);
  assert.equal(
    (await post(service.url, "/auth/login", { username: "alice", password: "correct horse battery" })).status,
    401,
  );
  assert.match((await cli("list")).out, /^alice\t\S+\tholdfast:admin\tdisabled$/m);
  assert.equal((await cli("enable", "alice")).code, 0);
  await login(service.url);

  assert.equal(
    (await cli("scopes", "alice", "--scope", "a", "--scope", "b")).out,
    "set the scopes of alice\n",
  );
  assert.match((await cli("list")).out, /^alice\t\S+\ta b\tenabled$/m);
  assert.equal((await cli("password", "BOB")).code, 0);
  assert.equal(await signIn("bob ", "password of bob"), 200);
  assert.equal((await cli("remove", "alice")).code, 0);
  assert.match((await cli("remove", "alice")).err, /there is no user alice/);
  // The operator owns the store, so the last administrator is no exception at the command line.
  const last = await cli("remove", "bob");
  assert.deepEqual([last.code, last.out], [0, "removed bob\n"]);
  assert.match(last.err, /^note: no administrator is left/);
});

test("law 12: the removal of a damaged user at the command line says when no session was ended", async (t) => {
  const data = await temporaryDataDir();
  const service = await startService(data);
  t.after(async () => await service.stop());
  const cli = async (...args: string[]) =>
    await runHoldfast(["user", ...args], { data, input: "password of bob" });
  assert.equal((await cli("add", "bob")).code, 0);
  const db = new DatabaseSync(join(data, "holdfast.db"));
  db.exec("UPDATE users SET subject = '' WHERE username = 'bob'");
  db.close();
  const { code, out, err } = await cli("remove", "bob");
  assert.deepEqual([code, out], [0, "removed bob\n"]);
  assert.match(err, /^note: no session was ended, because the record was damaged/m);
});
