import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { test, type TestContext } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { localFiles } from "../../src/server/store/local-store.ts";
import type { Store } from "../../src/stores/store.ts";
import { redisStore } from "../../src/stores/redis.ts";
import { openRedisImport } from "../../src/stores/redis/import-dump.ts";
import { sqliteStore } from "../../src/stores/sqlite.ts";
import { openExclusive } from "../../src/stores/sqlite/offline.ts";
import { readDump } from "../../src/stores/sqlite/dump.ts";
import { temporaryDataDir } from "../server/temporary-settings.ts";
import { login, post, refresh, refreshOrFail, verify, type Tokens } from "../support/auth-calls.ts";
import { noRedis, RedisServer, startCluster } from "../support/redis-servers.ts";
import { serviceEnvironment, startService, type ServiceProcess } from "../support/service-process.ts";
import { runHoldfast } from "./cli-process.ts";
import { cli } from "../support/cli.ts";
const options = { skip: noRedis };
const secret = "the secret of these data as a text";

async function redisServer(t: TestContext): Promise<RedisServer> {
  const redis = await RedisServer.start();
  t.after(async () => await redis.stop());
  return redis;
}

/** Creates data under `secret`, and lets `use` work with the service. */
async function servedData<T>(
  t: TestContext,
  use: (service: ServiceProcess) => Promise<T>,
): Promise<[string, T]> {
  const data = await temporaryDataDir();
  const service = await startService(data, { HOLDFAST_SECRET: secret });
  t.after(async () => await service.stop("SIGKILL"));
  const made = await use(service);
  assert.equal(await service.stop(), 0);
  return [data, made];
}

const migrate = async (data: string, to: string, settings: Record<string, string> = {}) =>
  await runHoldfast(["migrate", "--to", to], { data, settings: { HOLDFAST_SECRET: secret, ...settings } });

const onRedis = (redis: RedisServer) => ({
  HOLDFAST_STORE: "redis",
  REDIS_URL: redis.url,
  HOLDFAST_SECRET: secret,
});

/** Reads the contents of a store through its interface. */
async function seenOf(store: Store, sessions: readonly string[]) {
  const users = await store.users.list({ limit: 1000 });
  return {
    users,
    keys: await store.keys.list(),
    sessions: await Promise.all(sessions.map(async (id) => await store.sessions.get(id))),
    listed: await Promise.all(
      users.map(async ({ subject }) => await store.sessions.listBySubject(subject, { limit: 99 })),
    ),
    audit: await store.audit.recent(1000),
    log: await store.revocations.snapshot(),
    id: await store.markers.read("id"),
    identity: await store.markers.read("identity"),
  };
}

test(
  "law 3, law 8: after a move to Redis every session goes on, ended ones stay ended, and the file is not served again",
  options,
  async (t) => {
    const redis = await redisServer(t);
    const [data, made] = await servedData(t, async ({ url }) => {
      const kept = await login(url);
      const rotated = await login(url);
      const next = await refreshOrFail(url, rotated.refresh_token);
      const ended = await login(url);
      await post(url, "/auth/logout", { refresh_token: ended.refresh_token });
      return { kept, rotated, next, ended };
    });
    const { kept, rotated, next, ended } = made;
    const sessions = [kept, rotated, ended].map(({ session_id: id }) => id);
    const file = await sqliteStore({ file: localFiles(data).data });
    const before = await seenOf(file, sessions);
    await file.close();

    const done = await migrate(data, redis.url);
    assert.equal(done.code, 0, done.err);
    assert.match(
      done.out,
      new RegExp(
        `^moved everything, 3 sessions, to redis 127.0.0.1:${redis.port} \\(appendfsync always\\)\nfrom now on: HOLDFAST_STORE=redis\n$`,
      ),
    );
    const moved = await redisStore({ url: redis.url });
    t.after(async () => await moved.close());
    assert.deepEqual(await seenOf(moved, sessions), before);
    // A follower of the log in the file continues in Redis.
    const position = { ...before.log.position, seq: 0, chain: "" };
    assert.equal((await moved.revocations.after(before.log.position)).status, "ok");
    const tail = await moved.revocations.after(position);
    assert.deepEqual(tail, { status: "ok", entries: before.log.entries });

    const stale = await runHoldfast(["serve"], { data, settings: { HOLDFAST_SECRET: secret } });
    assert.equal(stale.code, 1);
    assert.match(stale.err, /were moved to redis .*: set HOLDFAST_STORE=redis/);

    const service = await startService(data, onRedis(redis));
    t.after(async () => await service.stop("SIGKILL"));
    const { url } = service;
    assert.equal(await verify(url, kept.access_token), 200);
    assert.equal(await verify(url, ended.access_token), 401);
    // An answer that was lost before the move is repeated.
    assert.equal((await refreshOrFail(url, rotated.refresh_token)).refresh_token, next.refresh_token);
    await refreshOrFail(url, next.refresh_token);
    await refreshOrFail(url, kept.refresh_token);
    assert.equal((await refresh(url, ended.refresh_token)).status, 400);
    assert.equal(
      (await post(url, "/auth/logout-all", { refresh_token: (await login(url)).refresh_token })).status,
      204,
    );
    assert.equal(await verify(url, kept.access_token), 401);

    const again = await migrate(data, redis.url);
    assert.equal(again.code, 0, again.err);
    assert.match(again.out, /^everything had been moved before, to redis/);
  },
);

test("rejects an impossible move by name, and the file is served as before", options, async (t) => {
  const redis = await redisServer(t);
  const other = await redisServer(t);
  await other.cli("SET", "holdfast:{users}", "somebody's");
  const [data, tokens] = await servedData(t, async ({ url }) => await login(url));
  const [, others] = await servedData(t, async () => undefined);
  assert.equal(others, undefined);
  const down = await RedisServer.start();
  await down.stop();

  const refusals: [string, RegExp, Record<string, string>?][] = [
    [down.url, /redis 127\.0\.0\.1:\d+: .*ECONNREFUSED/],
    ["redis://user:hunter2@127.0.0.1:1", /--to must not contain user and password/],
    ["http://127.0.0.1", /REDIS_URL must be redis:/],
    [other.url, /holds data already: a move does not replace data/],
    [redis.url, /HOLDFAST_SECRET is not the secret of/, { HOLDFAST_SECRET: "another".repeat(6) }],
    [redis.url, /there is no data file/, { HOLDFAST_DATA_DIR: `${data}.other` }],
    [redis.url, /has min-replicas-to-write 0/, { HOLDFAST_REDIS_REPLICAS: "1" }],
    [
      redis.url,
      /reached 0 of 1 replicas/,
      { HOLDFAST_REDIS_REPLICAS: "1", HOLDFAST_REDIS_DURABILITY: "unchecked" },
    ],
  ];
  for (const [to, message, settings] of refusals) {
    const { code, err } = await migrate(data, to, settings);
    assert.equal(code, 1, to);
    assert.match(err, message);
    assert.doesNotMatch(err, /\n\s+at |hunter2|anotheranother/);
  }
  const service = await startService(data, { HOLDFAST_SECRET: secret });
  t.after(async () => await service.stop("SIGKILL"));
  const inUse = await migrate(data, redis.url);
  assert.match(inUse.err, /is in use: stop every service/);
  const next = await refreshOrFail(service.url, tokens.refresh_token);
  assert.equal(await service.stop(), 0);

  // The run above began the migration and was interrupted. The next run also moves what changed since then.
  await assert.rejects(
    startService(`${data}.b`, onRedis(redis)),
    /has an incomplete migration: run holdfast migrate again/,
  );
  assert.equal((await migrate(data, redis.url)).code, 0);
  const moved = await startService(data, onRedis(redis));
  t.after(async () => await moved.stop("SIGKILL"));
  await refreshOrFail(moved.url, next.refresh_token);
});

/** Starts a move and kills it while it runs. */
async function interrupted(data: string, redis: RedisServer, afterMs: number): Promise<number | null> {
  const child = spawn(process.execPath, ["--no-warnings", cli, "migrate", "--to", redis.url], {
    env: serviceEnvironment(data, { HOLDFAST_SECRET: secret }),
    stdio: "ignore",
  });
  const exited = once(child, "exit");
  while (child.exitCode === null && (await redis.cli("EXISTS", "holdfast:{store}")) !== ":1\r\n")
    await pause(1);
  await pause(afterMs);
  child.kill("SIGKILL");
  await exited;
  return child.exitCode;
}

test(
  "fault 40: another run finishes a killed move, and no service starts on a part of the data",
  options,
  async (t) => {
    let halfway = 0;
    for (const afterMs of [0, 20, 60, 120]) {
      const redis = await redisServer(t);
      const [data, clients] = await servedData(t, async ({ url }) => {
        const first = await login(url);
        const all: Tokens[] = [first];
        for (let n = 0; n < 7; n++) all.push(await login(url));
        return all;
      });
      // More records make the move take longer.
      await padded(data);
      if ((await interrupted(data, redis, afterMs)) === null) {
        const half = await runHoldfast(["user", "list"], { data, settings: onRedis(redis) });
        if (half.code !== 0) assert.match(half.err, /has an incomplete migration/);
        halfway++;
      }
      const { code, err } = await migrate(data, redis.url);
      assert.equal(code, 0, err);
      const service = await startService(data, onRedis(redis));
      for (const client of clients) await refreshOrFail(service.url, client.refresh_token);
      assert.equal(await service.stop(), 0);
      await redis.stop();
    }
    assert.ok(halfway > 0, "no round was interrupted");
  },
);

/** Adds audit events and sessions without tokens. */
async function padded(data: string): Promise<void> {
  const db = openExclusive(localFiles(data).data);
  db.exec(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000)
    INSERT INTO audit ("at", kind, detail) SELECT i, 'login', hex(randomblob(100)) FROM n`);
  db.exec(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000)
    INSERT INTO sessions (id, subject, authAt, absoluteExpiresAt, facts, mac, idleMs, generation, currentDigest,
      rotatedAt, issuedAtS, idleExpiresAt, repeatStreak, wasRepeated)
    SELECT 'more' || i, subject, authAt, absoluteExpiresAt, facts, mac, idleMs, generation, currentDigest,
      rotatedAt, issuedAtS, idleExpiresAt, repeatStreak, wasRepeated
    FROM n, (SELECT * FROM sessions LIMIT 1)`);
  db.close();
  await pause(0);
}

test("fault 12: when Redis stops during a move, the file stays the store", options, async (t) => {
  const redis = await redisServer(t);
  const [data, tokens] = await servedData(t, async ({ url }) => await login(url));
  await padded(data);
  const child = spawn(process.execPath, ["--no-warnings", cli, "migrate", "--to", redis.url], {
    env: serviceEnvironment(data, { HOLDFAST_SECRET: secret }),
    stdio: ["ignore", "ignore", "pipe"],
  });
  let err = "";
  child.stderr.on("data", (chunk: Buffer) => (err += chunk.toString()));
  const closed = once(child, "close");
  while (child.exitCode === null && (await redis.cli("EXISTS", "holdfast:{store}")) !== ":1\r\n")
    await pause(1);
  await redis.kill();
  await closed;
  assert.equal(child.exitCode, 1);
  assert.match(err, /^holdfast: redis 127\.0\.0\.1/);
  const service = await startService(data, { HOLDFAST_SECRET: secret });
  const next = await refreshOrFail(service.url, tokens.refresh_token);
  assert.equal(await service.stop(), 0);
  await redis.up();
  assert.equal((await migrate(data, redis.url)).code, 0);
  const moved = await startService(data, onRedis(redis));
  t.after(async () => await moved.stop("SIGKILL"));
  await refreshOrFail(moved.url, next.refresh_token);
});

test("a move to a cluster puts every record on the server that owns its slot", options, async (t) => {
  const cluster = await startCluster(["min-replicas-to-write 1"]);
  t.after(async () => await cluster.stop());
  const [data, sessions] = await servedData(t, async ({ url }) => {
    const all = [await login(url), await login(url), await login(url)];
    await post(url, "/auth/logout", { refresh_token: all[0]?.refresh_token });
    return all.map(({ session_id: id }) => id);
  });
  const file = await sqliteStore({ file: localFiles(data).data });
  const before = await seenOf(file, sessions);
  await file.close();
  const target = { cluster: cluster.urls, replicas: 1 };
  const db = openExclusive(localFiles(data).data);
  const filling = await openRedisImport(target);
  const contents = readDump(db);
  const { id } = before;
  assert.equal(await filling.claim(id ?? "", contents.log.end.epoch, { startIfEmpty: true }), "claimed");
  assert.equal(await filling.copy(contents), 3);
  await filling.finish(id ?? "");
  assert.equal(await filling.claim(id ?? "", contents.log.end.epoch, { startIfEmpty: true }), "finished");
  await filling.close();
  db.close();
  const moved = await redisStore(target);
  t.after(async () => await moved.close());
  assert.deepEqual(await seenOf(moved, sessions), before);
});
