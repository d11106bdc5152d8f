import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { execFileSync } from "node:child_process";
import { mkdir, mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { clockCheck } from "../../../src/doctor/checks/clock.ts";
import { judgeRedisServer, redisCheck } from "../../../src/doctor/checks/redis.ts";
import { networkCheck } from "../../../src/doctor/checks/network.ts";
import { secretCheck } from "../../../src/doctor/checks/secret.ts";
import { RedisProbe } from "../../../src/doctor/redis-probe.ts";
import { runCheck } from "../../../src/doctor/run-doctor.ts";
import { storeCommands } from "../../../src/doctor/redis-permissions.ts";
import { FakeClock } from "../../../src/testing/index.ts";
import { noRedis, RedisServer, startCluster } from "../../support/redis-servers.ts";
import { SlotMove } from "../../support/slot-move.ts";
import { startTlsRedis } from "../../support/redis-tls.ts";
import { assertHealthy, assertProblem, findings, makeContext, makeSettings, serve } from "../fixture.ts";

const options = { skip: noRedis };
const SECRET = "a-secret-of-the-redis-store-0123456789";

async function start(t: TestContext, lines: readonly string[] = []) {
  const redis = await RedisServer.start(lines);
  t.after(async () => {
    redis.thaw();
    await redis.stop();
  });
  const settings = await makeSettings({
    HOLDFAST_STORE: "redis",
    REDIS_URL: redis.url,
    HOLDFAST_SECRET: SECRET,
  });
  const check = async () => await findings(redisCheck, await makeContext(settings));
  return { redis, settings, check };
}

test("redis: a server of a running service is well, and so are its clock and secret", options, async (t) => {
  const { settings, check } = await start(t);
  assertHealthy(await check());
  await serve(t, settings);
  assertHealthy(await check());
  const context = await makeContext(settings);
  assertHealthy(await findings(clockCheck, context));
  assert.deepEqual((await findings(secretCheck, context))[0]?.detail, "it is the secret of the store");
  const other = { ...settings, secret: "another-secret-of-the-redis-store-0123" };
  const list = await findings(secretCheck, await makeContext(other));
  assertProblem(list, "fail", /belongs to another secret/, /before the old one/);
});

test("redis: a frozen server and a read-only replica are failures", options, async (t) => {
  const { redis, settings, check } = await start(t);
  redis.freeze();
  const context = await makeContext(settings);
  const [[secret], [clock]] = await Promise.all([
    findings(secretCheck, context),
    findings(clockCheck, context),
  ]);
  assert.match(secret?.detail ?? "", /^long enough; it was not compared.+: see redis$/);
  assert.match(clock?.detail ?? "", /^the clock of Redis was not compared.+: see redis$/);
  assertProblem(
    await check(),
    "fail",
    /cannot be used: no connection within .+ logins, refreshes/,
    /hangs or is cut off/,
  );
  redis.thaw();
  await redis.cli("REPLICAOF", "127.0.0.1", "1");
  assertProblem(await check(), "fail", /read-only replica of 127\.0\.0\.1:1: .+READONLY/, /name the primary/);
});

test("redis: a full server and one that waits for replicas are failures", options, async (t) => {
  const { redis, check } = await start(t);
  await redis.cli("CONFIG", "SET", "maxmemory", "1");
  assertProblem(await check(), "fail", /maxmemory \(OOM\)/, /raise maxmemory/);
  await redis.cli("CONFIG", "SET", "maxmemory", "0");
  await redis.cli("CONFIG", "SET", "min-replicas-to-write", "1");
  assertProblem(await check(), "fail", /has 0 of the 1 replicas .+NOREPLICAS/, /start the replicas/);
});

test(
  "redis: a server that evicts or does not persist is a failure with the setting to change",
  options,
  async (t) => {
    const { redis, check } = await start(t);
    await redis.cli("CONFIG", "SET", "maxmemory-policy", "allkeys-lru");
    assertProblem(await check(), "fail", /maxmemory-policy allkeys-lru.+set noeviction/, /does not start/);
    await redis.cli("CONFIG", "SET", "maxmemory-policy", "noeviction");
    await redis.cli("CONFIG", "SET", "appendfsync", "no");
    assertProblem(
      await check(),
      "fail",
      /appendfsync no; set appendonly yes and appendfsync everysec/,
      /does not start/,
    );
  },
);

test(
  "law 5, redis: a user that may not run a command is a failure that names it, and no password is shown",
  options,
  async (t) => {
    const { redis, settings } = await start(t);
    const PASSWORD = "hunter2-hunter2";
    const check = async (password: string) => {
      const url = redis.url.replace("//", `//doctor:${password}@`);
      const own = { ...settings, redis: { ...settings.redis, url } };
      const list = await findings(redisCheck, await makeContext(own));
      assert.doesNotMatch(JSON.stringify(list), /hunter2/);
      return list;
    };
    const allow = async (...rights: string[]) => {
      await redis.cli("ACL", "SETUSER", "doctor", "reset", "on", `>${PASSWORD}`, ...rights);
    };
    await allow("~holdfast:*", "+@all");
    assertHealthy(await check(PASSWORD));
    await allow("~holdfast:*", "+@all", "-zadd", "-config");
    assertProblem(await check(PASSWORD), "fail", /may not run ZADD on the keys/, /docs\/run\/redis\.md/);
    await allow("~holdfast:*", "+@all", "-@scripting");
    assertProblem(await check(PASSWORD), "fail", /may not run EVAL/, /docs\/run\/redis\.md/);
    await allow("~other:*", "+@all");
    assertProblem(await check(PASSWORD), "fail", /may not run|NOPERM/, /holdfast:\*|password/);
    assertProblem(await check("hunter2-wrong"), "fail", /WRONGPASS/, /password/);
  },
);

test(
  "redis: another store than the one of this machine, and an emptied one, are failures",
  options,
  async (t) => {
    const { redis, settings, check } = await start(t);
    const { stop } = await serve(t, settings);
    await stop();
    assertHealthy(await check());
    await redis.cli("FLUSHALL");
    assertProblem(await check(), "fail", /is empty, and not the store/, /correct REDIS_URL/);
    const second = await makeSettings();
    await mkdir(`${second.dataDir}.local`, { mode: 0o700 });
    await writeFile(`${second.dataDir}.local/store`, "another", { mode: 0o600 });
    await redis.cli("HSET", "holdfast:{store}", "marker:id", "this-one");
    const list = await findings(redisCheck, await makeContext({ ...settings, dataDir: second.dataDir }));
    assertProblem(list, "fail", /is another store than the one/, /correct REDIS_URL/);
  },
);

test("redis: a cluster is well, and one without a part of its slots is a failure", options, async (t) => {
  const cluster = await startCluster(["min-replicas-to-write 1", "min-replicas-max-lag 10"]);
  t.after(async () => await cluster.stop());
  const settings = await makeSettings({
    HOLDFAST_STORE: "redis",
    REDIS_URL: cluster.urls.join(","),
    HOLDFAST_SECRET: SECRET,
  });
  const check = async () => await findings(redisCheck, await makeContext(settings));
  assertHealthy(await check());
  const [from, to] = cluster.servers as [RedisServer, RedisServer];
  const move = new SlotMove(93, from, to);
  await move.begin();
  assertProblem(await check(), "warn", /the move of 1 slots .+: 93; .+TRYAGAIN/, /--cluster fix/);
  await move.finish();
  assertHealthy(await check());
  // The hash of the store is in the first third of the slots or not; a cluster without full coverage refuses all.
  for (const server of [cluster.servers[0], cluster.servers[3]]) await server?.kill();
  const list = await check();
  assertProblem(list, "fail", /of 16384 slots|CLUSTERDOWN|cannot be used|reached 0 of 1/, /./);
});

test("network: a certificate of Redis that expires soon is a warning", options, async (t) => {
  const { url, files } = await startTlsRedis(t);
  const settings = await makeSettings({
    HOLDFAST_STORE: "redis",
    REDIS_URL: url,
    HOLDFAST_SECRET: SECRET,
    HOLDFAST_REDIS_CA: files["tls-ca-cert-file"] ?? "",
  });
  assertHealthy(await findings(redisCheck, await makeContext(settings)));
  const list = await findings(networkCheck, await makeContext(settings));
  assertProblem(list, "warn", /certificate of 127\.0\.0\.1:\d+ expires in 0 days/, /renew/);
});

test("redis: a version that is too old, failed writes and a server that loads are failures", () => {
  const judge = (facts: Record<string, string>) => judgeRedisServer("redis", new Map(Object.entries(facts)));
  assertProblem(judge({ redis_version: "6.0.16" }), "fail", /version 6\.0\.16/, /6\.2 or newer/);
  assert.deepEqual(judge({ redis_version: "6.2.0", role: "master" }), []);
  assertProblem(
    judge({ aof_last_write_status: "err" }),
    "fail",
    /aof_last_write_status:err.+MISCONF/,
    /disk of Redis/,
  );
  assertProblem(judge({ loading: "1" }), "fail", /LOADING/, /wait/);
  assertProblem(judge({ used_memory: "95", maxmemory: "100" }), "warn", /95 % of its maxmemory/, /raise/);
});

test("redis: the doctor and docs/run/redis.md name every command that the store sends", () => {
  const files = globSync(new URL("../../../src/stores/redis/*.ts", import.meta.url).pathname);
  const source = files.map((file) => readFileSync(file, "utf8")).join("\n");
  const inScripts = [...source.matchAll(/redis\.call\('([A-Z]+)'/g)].map(([, name]) => name);
  const sent = [...source.matchAll(/\[\s*"([A-Z]{3,})",/g)].map(([, name]) => name);
  const known = storeCommands.map(([name]) => name);
  // Any user may send these, or they are asked for at the start only, where a refusal is no failure.
  const always = ["AUTH", "PING", "EVAL", "CONFIG", "CLUSTER"];
  assert.deepEqual(
    [...new Set([...inScripts, ...sent])].filter(
      (name) => !known.includes(name ?? "") && !always.includes(name ?? ""),
    ),
    [],
    "add these commands to src/doctor/redis-permissions.ts and to docs/run/redis.md",
  );
  const page = readFileSync(new URL("../../../docs/run/redis.md", import.meta.url), "utf8");
  const rule = /ACL SETUSER holdfast .*/.exec(page)?.[0] ?? "";
  assert.deepEqual(
    known.filter((name) => !rule.includes(`+${name.toLowerCase()}`)),
    [],
  );
});

test("redis: a reading that does not end is a failure with the address before the time of a check is over", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "holdfast-"));
  const pipe = join(folder, "ca.pem");
  execFileSync("mkfifo", [pipe]);
  // Nobody writes to the pipe, so that the certificates never arrive.
  t.after(async () => await writeFile(pipe, ""));
  const clock = new FakeClock();
  const probe = new RedisProbe({ url: "rediss://redis.example:6380", tlsFiles: { ca: pipe } }, clock);
  const [reading] = await Promise.all([probe.read(), clock.advance(4500)]);
  assert.deepEqual(reading, {
    description: "redis redis.example:6380",
    answers: null,
    failure: "no answer within 4 s",
  });
});

test("a check that is late names what it waits for", async () => {
  const clock = new FakeClock();
  const run = async () => await new Promise<never>(() => {});
  const context = await makeContext(await makeSettings());
  const late = runCheck({ ...redisCheck, run }, context, clock);
  await clock.advance(5500);
  assert.equal((await late).findings[0]?.detail, "no answer from Redis within 5 s");
});
