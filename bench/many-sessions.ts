/**
 * Measures the longest turn of the event loop while one user with 20,000 sessions is listed, ended and swept, on each
 * store. The time of a turn is processor time of the main thread, so other programs do not count. The clock is a fake one,
 * so SQLite runs in this thread and its statements count, too. On Redis, the longest command of the server is shown.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import { createIssuer } from "../src/issuer/create-issuer.ts";
import type { Issuer } from "../src/issuer/types.ts";
import { memoryStore } from "../src/stores/memory.ts";
import { redisStore } from "../src/stores/redis.ts";
import { sqliteStore } from "../src/stores/sqlite.ts";
import type { Store } from "../src/stores/store.ts";
import { FakeClock } from "../src/testing/index.ts";
import { noRedis, RedisServer } from "../test/support/redis-servers.ts";
import { threadMs } from "./large/turn-watch.ts";

const countAt = process.argv.indexOf("--sessions");
const SESSIONS = countAt === -1 ? 20_000 : Number(process.argv[countAt + 1]);
/** Logins that run at the same time while the sessions are made. */
const AT_ONCE = 100;
const DAY_MS = 86_400_000;
const SUBJECT = "alice";

/** The store without the bound on the sessions of one user, which is 10,000 at most. */
function withoutBound(store: Store): Store {
  const { sessions } = store;
  const create: typeof sessions.create = async (session, limit) =>
    await sessions.create(session, limit && { ...limit, max: SESSIONS + 1 });
  const unbound = new Proxy(sessions, {
    get: (target, name) => (name === "create" ? create : (Reflect.get(target, name) as unknown)),
  });
  return new Proxy(store, {
    get: (target, name) => (name === "sessions" ? unbound : (Reflect.get(target, name) as unknown)),
  });
}

async function createSessions(issuer: Issuer, clock: FakeClock, count: number): Promise<void> {
  for (let made = 0; made < count; made += AT_ONCE) {
    // Sessions of one moment are ordered by their ids, which takes longer.
    clock.setWall(clock.now() + AT_ONCE);
    await Promise.all(
      // Each account name counts on its own in the login limits.
      Array.from({ length: Math.min(AT_ONCE, count - made) }, async (_, i) => {
        const { status } = await issuer.login({ username: `${made + i}` });
        if (status !== "ok") throw new Error(status);
      }),
    );
  }
}

interface Measured {
  /** The longest turn, milliseconds of processor time. */
  readonly turnMs: number;
  /** The longest command of the server, milliseconds, of those over one. `null` without Redis. */
  readonly commandMs: number | null;
  readonly totalMs: number;
}

async function measure(redis: RedisServer | null, work: () => Promise<unknown>): Promise<Measured> {
  await redis?.cli("CONFIG", "SET", "slowlog-log-slower-than", "1000");
  await redis?.cli("SLOWLOG", "RESET");
  const over = new AbortController();
  let turnMs = 0;
  const startedAt = performance.now();
  let previous = threadMs();
  const watch = async () => {
    while (!over.signal.aborted) {
      await nextTurn();
      const now = threadMs();
      turnMs = Math.max(turnMs, now - previous);
      previous = now;
    }
  };
  const watching = watch();
  await work();
  over.abort();
  const totalMs = performance.now() - startedAt;
  await watching;
  return { turnMs, commandMs: redis === null ? null : await slowestCommandMs(redis), totalMs };
}

/** Reads the slow log: an entry begins with its id, its time and its duration in microseconds. */
async function slowestCommandMs(redis: RedisServer): Promise<number> {
  const entries = (await redis.cli("SLOWLOG", "GET", "128")) ?? "";
  const durations = [...entries.matchAll(/\*6\r\n:\d+\r\n:\d+\r\n:(\d+)/g)];
  return Math.max(0, ...durations.map(([, microseconds]) => Number(microseconds) / 1000));
}

async function measureStore(name: string, store: Store, clock: FakeClock, redis: RedisServer | null) {
  const issuer = createIssuer({
    url: "https://id.example.com",
    audience: "https://api.example.com",
    store: withoutBound(store),
    secret: "a secret of at least thirty-two bytes",
    authenticate: () => ({ subject: SUBJECT, scopes: ["orders:read"] }),
    clock,
  });
  await issuer.ready();
  await createSessions(issuer, clock, SESSIONS);
  const { total } = await countSessions(issuer);
  if (total !== SESSIONS) throw new Error(`${total} sessions`);
  const listAll = async () => await countSessions(issuer);
  const sweep = async () => {
    clock.setWall(clock.now() + 200 * DAY_MS);
    await store.prune();
  };
  for (const [what, work] of [
    ["list all", listAll],
    ["end all", async () => await issuer.sessions.endAll(SUBJECT)],
    ["list none", listAll],
    ["sweep", sweep],
  ] as const) {
    const { turnMs, commandMs, totalMs } = await measure(redis, work);
    const command = commandMs === null ? "" : `, longest command ${commandMs.toFixed(1)} ms`;
    console.log(
      `${name.padEnd(8)}${what.padEnd(10)} longest turn ${turnMs.toFixed(1)} ms${command}, all ${totalMs.toFixed(0)} ms`,
    );
  }
  await issuer.close();
}

/** Reads every page of the sessions. */
async function countSessions(issuer: Issuer): Promise<{ total: number }> {
  let total = 0;
  for (let after: string | undefined; ;) {
    const { sessions, next } = await issuer.sessions.list(SUBJECT, {
      limit: 500,
      ...(after !== undefined && { after }),
    });
    total += sessions.length;
    if (next === null) return { total };
    after = next;
  }
}

const folder = mkdtempSync(join(tmpdir(), "holdfast-bench-"));
try {
  const clock = () => new FakeClock(Date.now());
  const memoryClock = clock();
  await measureStore("memory", memoryStore({ clock: memoryClock }), memoryClock, null);
  const fileClock = clock();
  const sqlite = await sqliteStore({ file: join(folder, "holdfast.db"), clock: fileClock });
  await measureStore("SQLite", sqlite, fileClock, null);
  await sqlite.close();
  if (noRedis === false) {
    const redis = await RedisServer.start();
    const redisClock = clock();
    const store = await redisStore({ url: redis.url, clock: redisClock });
    await measureStore("Redis", store, redisClock, redis);
    await store.close();
    await redis.stop();
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
