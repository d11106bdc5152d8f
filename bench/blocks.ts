/*
 * Measures the longest turn of the service's event loop while it does everything that grows with its data: the start, the
 * first reads, snapshots, each revocation, the end of a user's sessions, pages, the clean-up and the rotation of keys. The
 * file holds a million sessions and a million revocations; `--sessions N` and `--revocations N` change that. The time of a
 * turn is processor time of the main thread, so other programs do not count. The wall time is shown beside it. The data are
 * in a file, or with `--store redis` in a Redis of its own, to which `holdfast migrate` has moved them.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { parseArgs } from "node:util";
import { RedisServer } from "../test/support/redis-servers.ts";
import { BUSY_SUBJECT } from "./large/seed.ts";
import { LargeService } from "./large/service-process.ts";
import { clientHeader, credentials, moveToRedis, prepare, settingsFor } from "./large/settings.ts";

const { values: flags } = parseArgs({
  options: {
    sessions: { type: "string", default: "1000000" },
    revocations: { type: "string", default: "1000000" },
    store: { type: "string", default: "sqlite" },
    json: { type: "string" },
  },
});
const TARGET_MS = 20;
/** The sessions of one user. A user has at most 10,000 by default. Redis ends them one by one. */
const OF_ONE = flags.store === "redis" ? 10_000 : 20_000;

interface Tokens {
  readonly access_token: string;
  readonly refresh_token: string;
}

interface Row {
  readonly what: string;
  readonly turnMs: number;
  readonly wallMs: number;
  readonly allMs: number;
}

const rows: Row[] = [];

function add(what: string, { cpuMs, wallMs }: { cpuMs: number; wallMs: number }, allMs: number): void {
  rows.push({ what, turnMs: cpuMs, wallMs, allMs });
  const judged = cpuMs > TARGET_MS ? "  MISSED" : "";
  console.log(
    `${what.padEnd(46)} longest turn ${cpuMs.toFixed(1).padStart(7)} ms (wall ${wallMs.toFixed(0)}), all ${allMs.toFixed(0)} ms${judged}`,
  );
}

async function measured<T>(service: LargeService, what: string, work: () => Promise<T>): Promise<T> {
  await service.takeTurns();
  const from = performance.now();
  const result = await work();
  const allMs = performance.now() - from;
  add(what, await service.takeTurns(), allMs);
  return result;
}

/** Starts the service, and asks for its health all the time. */
async function start(what: string, settings: Readonly<Record<string, string>>): Promise<LargeService> {
  const from = performance.now();
  const { service, whenStarted } = await LargeService.spawn(settings);
  running.add(service);
  const started = new AbortController();
  let longestMs = 0;
  const watchHealth = async () => {
    while (!started.signal.aborted) {
      const asked = performance.now();
      const reply = await service.request("/health/ready").catch(() => null);
      // Before the port is open, nothing can answer.
      if (reply !== null) longestMs = Math.max(longestMs, performance.now() - asked);
      await wait(5);
    }
  };
  const watching = watchHealth();
  await whenStarted.finally(() => started.abort());
  const allMs = performance.now() - from;
  add(`${what}; slowest health ${longestMs.toFixed(0)} ms`, await service.takeTurns(), allMs);
  await watching;
  return service;
}

async function expectOk(
  service: LargeService,
  ...args: Parameters<LargeService["request"]>
): Promise<string> {
  const { status, body } = await service.request(...args);
  if (status >= 300) throw new Error(`${args[0]}: ${status} ${body.slice(0, 200)}`);
  return body;
}

const folder = mkdtempSync(join(tmpdir(), "holdfast-bench-"));
const running = new Set<LargeService>();
let redis: RedisServer | null = null;
try {
  const seedAt = performance.now();
  const count = {
    sessions: Number(flags.sessions),
    revocations: Number(flags.revocations),
    sessionsOfOne: OF_ONE,
  };
  await prepare(folder, count);
  const seedMs = Math.round(performance.now() - seedAt);
  console.log(`${count.sessions} sessions, ${count.revocations} revocations: ${seedMs} ms`);
  if (flags.store === "redis") redis = await RedisServer.start(["appendfsync everysec"]);
  await run(redis === null ? settingsFor(folder) : moveToRedis(folder, redis.url));
} finally {
  for (const service of running) await service.stop();
  await redis?.stop();
  rmSync(folder, { recursive: true, force: true });
}
console.log(`${cpus()[0]?.model}, ${cpus().length} cores, Node ${process.version}`);
if (flags.json !== undefined) writeFileSync(flags.json, JSON.stringify(rows));

async function run(settings: Readonly<Record<string, string>>): Promise<void> {
  const one = await start("start", settings);
  const login = async () =>
    JSON.parse(await expectOk(one, "/auth/login", { method: "POST", body: credentials })) as Tokens;
  const form = (token: string) => new URLSearchParams({ token }).toString();
  const introspect = async (token: string) =>
    await expectOk(one, "/oauth/introspect", {
      method: "POST",
      headers: { authorization: clientHeader },
      body: form(token),
    });
  let tokens = await measured(one, "first login", login);
  const bearer = () => ({ authorization: `Bearer ${tokens.access_token}` });
  await measured(one, "first /verify", async () => await expectOk(one, "/verify", { headers: bearer() }));
  await measured(one, "first introspection", async () => await introspect(tokens.access_token));
  await measured(one, "second introspection", async () => await introspect(tokens.access_token));
  tokens = await measured(one, "first refresh", async () => {
    const body = { refresh_token: tokens.refresh_token };
    return JSON.parse(await expectOk(one, "/auth/refresh", { method: "POST", body })) as Tokens;
  });
  await measured(one, "the snapshot of the view is saved", async () => await wait(8_000));
  await measured(one, "50 logouts, each introspected", async () => {
    for (let i = 0; i < 50; i++) {
      const { access_token } = await login();
      await expectOk(one, "/auth/logout", {
        method: "POST",
        headers: { authorization: `Bearer ${access_token}` },
      });
      await introspect(access_token);
    }
  });
  await measured(one, "GET /auth/revocations", async () => {
    await expectOk(one, "/auth/revocations", { headers: { authorization: clientHeader } });
  });
  const subject = encodeURIComponent(BUSY_SUBJECT);
  await measured(one, `all pages of one user's ${OF_ONE} sessions`, async () => {
    for (let after: string | undefined = ""; after !== undefined;) {
      const path = `/admin/sessions?subject=${subject}&limit=500${after && `&after=${encodeURIComponent(after)}`}`;
      const page = JSON.parse(await expectOk(one, path, { headers: bearer() })) as { next?: string | null };
      after = page.next ?? undefined;
    }
  });
  await measured(one, "dashboard: audit, users, sessions, metrics", async () => {
    for (const path of [
      "/api/audit",
      "/api/users",
      `/api/sessions?subject=${subject}`,
      "/metrics",
      "/health",
    ]) {
      await expectOk(one, path, { headers: bearer(), admin: true });
    }
  });
  await measured(one, `end one user's ${OF_ONE} sessions`, async () => {
    await expectOk(one, `/admin/sessions?subject=${subject}`, { method: "DELETE", headers: bearer() });
  });
  await measured(one, "rotation of the signing keys", async () => {
    await expectOk(one, "/api/actions", {
      method: "POST",
      headers: bearer(),
      body: { action: "rotate-keys" },
      admin: true,
    });
    tokens = await login();
    await expectOk(one, "/verify", { headers: bearer() });
  });
  const times: number[] = [];
  await measured(one, "clean-up", async () => {
    await one.maintain();
    for (const end = performance.now() + 15_000; performance.now() < end;) {
      const asked = performance.now();
      const body = { refresh_token: tokens.refresh_token };
      tokens = JSON.parse(await expectOk(one, "/auth/refresh", { method: "POST", body })) as Tokens;
      times.push(performance.now() - asked);
      await wait(10);
    }
  });
  times.sort((a, b) => a - b);
  console.log(
    `  refreshes meanwhile: median ${times[times.length >> 1]?.toFixed(1)} ms, longest ${times.at(-1)?.toFixed(1)} ms`,
  );
  console.log(`  memory: ${Math.round((await one.memory()) / 1e6)} MB`);
  await one.stop();
  const next = await start("start with the saved view", settings);
  await measured(next, "the first seconds after it", async () => await wait(5_000));
}
