import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { text } from "node:stream/consumers";
import { test, type TestContext } from "node:test";
import type { AuditEvent } from "../../src/core/events.ts";
import { temporaryDataDir } from "../server/temporary-settings.ts";
import { login, post } from "../support/auth-calls.ts";
import { noRedis, redisSettings, RedisServer } from "../support/redis-servers.ts";
import { serviceEnvironment, startService } from "../support/service-process.ts";
import { runHoldfast } from "./cli-process.ts";
import { cli } from "../support/cli.ts";

/** A running service whose store has four kinds of audit events, and the command beside it. */
async function setUp(t: TestContext, settings: Record<string, string> = {}) {
  const data = await temporaryDataDir();
  const service = await startService(data, settings);
  t.after(async () => await service.stop());
  const audit = async (...args: string[]) => await runHoldfast(["audit", ...args], { data, settings });
  const list = async (...args: string[]): Promise<AuditEvent[]> => {
    const { code, out, err } = await audit(...args, "--json");
    assert.equal(code, 0, err);
    return out
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => JSON.parse(line) as AuditEvent);
  };
  const first = await login(service.url);
  await login(service.url);
  const refused = await post(service.url, "/auth/login", { username: "alice", password: "wrong password" });
  assert.equal(refused.status, 401);
  const ended = await runHoldfast(["session", "end", first.session_id], { data, settings });
  assert.equal(ended.code, 0, ended.err);
  return { audit, list, first, output: () => service.output() };
}

async function checkFilters(t: TestContext, settings?: Record<string, string>): Promise<void> {
  const { audit, list, first, output } = await setUp(t, settings);
  const kindsOf = (events: readonly AuditEvent[]) => events.map(({ kind }) => kind);

  const all = await list();
  assert.deepEqual(kindsOf(all), ["session_ended", "login_refused", "login", "login", "user_added"]);
  assert.deepEqual(kindsOf(await list("--kind", "login")), ["login", "login"]);
  assert.deepEqual(kindsOf(await list("--kind", "login", "--kind", "user_added", "--limit", "2")), [
    "login",
    "login",
  ]);
  assert.deepEqual(kindsOf(await list("--session", first.session_id)), ["session_ended", "login"]);
  const [, logged = ""] = /"holdfast\.session":"(\w+)"/.exec(output()) ?? [];
  assert.deepEqual(await list("--session", logged), await list("--session", first.session_id));
  const named = (await list("--session", first.session_id)).map((event) => ({
    sessionDigest: null,
    ...event,
  }));
  assert.deepEqual(
    named.map(({ sessionDigest }) => sessionDigest),
    [logged, logged],
    "the digest leads from an id to its log lines",
  );
  assert.ok((await list("--user", "alice")).every(({ subject }) => subject === all[0]?.subject));
  const nobody = await audit("--user", "nobody");
  assert.deepEqual([nobody.code, nobody.out], [0, ""]);
  assert.match(nobody.err, /^note: there is no user nobody/);
  const unknown = await audit("--session", "nope");
  assert.deepEqual([unknown.code, unknown.out], [0, ""]);
  assert.match(unknown.err, /^note: no event that fits has this session/);
  assert.equal((await audit("--session", first.session_id)).err, "");
  assert.deepEqual(await list("--since", "1h"), all);
  assert.deepEqual(await list("--since", "2000-01-01"), all);
  assert.deepEqual(await list("--since", "2999-01-01T00:00:00Z"), []);

  const { code, out } = await audit("--kind", "session_ended");
  assert.equal(code, 0);
  const [time = "", ...cells] = out.trimEnd().split("\t");
  const [event] = all;
  assert.equal(Date.parse(time), event?.at);
  assert.deepEqual(cells, [
    "session_ended",
    event?.subject,
    first.session_id,
    "-",
    "command line",
    event?.detail ?? "-",
  ]);
}

test("holdfast audit lists and filters the events of a SQLite store beside a running service", async (t) => {
  await checkFilters(t);
});

test("holdfast audit reads a long trail page by page, and ends quietly when its reader has gone", async () => {
  const data = await temporaryDataDir();
  const service = await startService(data);
  await service.stop();
  const db = new DatabaseSync(join(data, "holdfast.db"));
  const insert = db.prepare('INSERT INTO audit ("at", kind, detail) VALUES (?, ?, ?)');
  db.exec("BEGIN");
  for (let i = 0; i < 2_500; i++) insert.run(Date.now(), "login_refused", `a detail of some length ${i}`);
  db.exec("COMMIT");
  db.close();
  const { code, out } = await runHoldfast(["audit", "--limit", "10000"], { data });
  assert.equal(code, 0);
  const lines = out.trimEnd().split("\n");
  assert.equal(lines.length, 2_501);
  assert.match(lines[0] ?? "", /a detail of some length 2499$/);
  assert.match(lines.at(-1) ?? "", /\tuser_added\t/);
  const command = '"$0" --no-warnings "$1" audit --limit 10000 | head -n 1';
  const child = spawn("sh", ["-c", command, process.execPath, cli], { env: serviceEnvironment(data) });
  const [head, err] = await Promise.all([text(child.stdout), text(child.stderr), once(child, "close")]);
  assert.equal(head, `${lines[0]}\n`);
  assert.equal(err, "");
});

test("holdfast audit lists and filters the events of Redis", { skip: noRedis }, async (t) => {
  const redis = await RedisServer.start();
  t.after(async () => await redis.stop());
  await checkFilters(t, redisSettings(redis));
});

test("holdfast audit refuses options that it cannot understand, and names what they must be", async () => {
  const cases: readonly (readonly [args: readonly string[], expected: RegExp])[] = [
    [["--kind", "logn"], /--kind must be a kind of audit event, and got "logn"; did you mean login\?/],
    [["--limit", "0"], /--limit must be a whole number from 1 to 1000000, and got "0"/],
    [["--limit", "ten"], /--limit must be a whole number/],
    [["--since", "yesterday"], /--since must be a duration .* and got "yesterday"/],
    [["--since", "24"], /--since must be a duration/],
    [["--since", "2026-13-01"], /--since must be a duration/],
    [["--user", "a", "--user", "b"], /give --user once/],
  ];
  for (const [args, expected] of cases) {
    const { code, err } = await runHoldfast(["audit", ...args]);
    assert.equal(code, 2, args.join(" "));
    assert.match(err, expected);
  }
});
