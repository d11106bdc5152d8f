/*
 * Measures `/verify` while a service with a million sessions and a million revocations does everything at once: logins,
 * refreshes, introspection, logouts and a clean-up each minute. Requests start at fixed times, so a wait counts for every
 * request that it delays. The measure is the ratio to the idle service of the same run. The full measurement needs a quiet
 * machine and ten minutes: `--minutes 10`. `--sessions N` and `--revocations N` change the size.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { cpus, loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { LargeService } from "./large/service-process.ts";
import { clientHeader, credentials, prepare, settingsFor } from "./large/settings.ts";
import { openLoop, summarize, type Summary } from "./open-loop.ts";

const { values: flags } = parseArgs({
  options: {
    minutes: { type: "string", default: "10" },
    sessions: { type: "string", default: "1000000" },
    revocations: { type: "string", default: "1000000" },
    json: { type: "string" },
  },
});
const SECONDS = Number(flags.minutes) * 60;
const IDLE_SECONDS = Math.min(30, SECONDS);
const VERIFY_PER_S = 200;
/** The sessions that are refreshed in turn. */
const POOL = 100;
const TARGET_RATIO = 5;
const TARGET_BLOCK_MS = 20;

interface Tokens {
  readonly access_token: string;
  readonly refresh_token: string;
}

const failures = new Map<string, number>();

function createWork(service: LargeService) {
  const expectOk = async (...args: Parameters<LargeService["request"]>): Promise<string> => {
    const { status, body } = await service.request(...args);
    if (status >= 300) {
      const name = `${args[0]} ${status}`;
      failures.set(name, (failures.get(name) ?? 0) + 1);
    }
    return body;
  };
  const login = async () =>
    JSON.parse(await expectOk("/auth/login", { method: "POST", body: credentials })) as Tokens;
  const bearer = (token: string) => ({ authorization: `Bearer ${token}` });
  const pool: Tokens[] = [];
  return {
    fillPool: async () => {
      while (pool.length < POOL) pool.push(await login());
    },
    verify: async () => await expectOk("/verify", { headers: bearer(pool[0]?.access_token ?? "") }),
    refresh: async () => {
      // The first session keeps the token of `/verify`.
      const [tokens] = pool.splice(1, 1);
      if (tokens === undefined) return;
      const body = { refresh_token: tokens.refresh_token };
      pool.push(JSON.parse(await expectOk("/auth/refresh", { method: "POST", body })) as Tokens);
    },
    introspect: async () => {
      // A refresh takes its session from the pool, and the first one stays.
      const token = pool[Math.floor(Math.random() * pool.length)]?.access_token ?? "";
      const body = new URLSearchParams({ token }).toString();
      await expectOk("/oauth/introspect", { method: "POST", headers: { authorization: clientHeader }, body });
    },
    logInAndOut: async () => {
      const { access_token } = await login();
      await expectOk("/auth/logout", { method: "POST", headers: bearer(access_token) });
    },
    cleanUp: async () => await service.maintain(),
  };
}

async function run(service: LargeService): Promise<Record<string, Summary>> {
  const work = createWork(service);
  await work.fillPool();
  await work.introspect();
  await openLoop(VERIFY_PER_S, 2, work.verify);
  const idle = summarize(await openLoop(VERIFY_PER_S, IDLE_SECONDS, work.verify));
  await service.takeTurns();
  const [verify, refresh, introspect, logInAndOut] = await Promise.all([
    openLoop(VERIFY_PER_S, SECONDS, work.verify),
    openLoop(50, SECONDS, work.refresh),
    openLoop(50, SECONDS, work.introspect),
    openLoop(2, SECONDS, work.logInAndOut),
    openLoop(1 / 60, SECONDS, work.cleanUp),
  ]);
  return {
    "/verify, idle": idle,
    "/verify": summarize(verify),
    "/auth/refresh, 50/s": summarize(refresh),
    "/oauth/introspect, 50/s": summarize(introspect),
    "login and logout, 2/s": summarize(logInAndOut),
  };
}

function print(rows: Record<string, Summary>, blocks: { cpuMs: number; wallMs: number }): void {
  const rounded = Object.entries(rows).map(([name, times]) => {
    const entries = Object.entries(times as unknown as Record<string, number>);
    return [name, Object.fromEntries(entries.map(([key, ms]) => [key, Number(ms.toFixed(2))]))];
  });
  console.table(Object.fromEntries(rounded));
  const ratio = (rows["/verify"]?.p99 ?? Number.NaN) / (rows["/verify, idle"]?.p99 ?? Number.NaN);
  const judge = (isMet: boolean) => (isMet ? "" : "  MISSED");
  console.log(
    `p99 of /verify: ${ratio.toFixed(2)} × idle, target ≤ ${TARGET_RATIO} ×${judge(ratio <= TARGET_RATIO)}`,
  );
  console.log(
    `longest block: ${blocks.cpuMs.toFixed(1)} ms of processor time (${blocks.wallMs.toFixed(1)} ms), ` +
      `target ≤ ${TARGET_BLOCK_MS} ms${judge(blocks.cpuMs <= TARGET_BLOCK_MS)}`,
  );
  console.log(`failed requests: ${JSON.stringify(Object.fromEntries(failures))}`);
  const load = loadavg()[0]?.toFixed(1);
  console.log(
    `${cpus()[0]?.model}, ${cpus().length} cores, load ${load}, Node ${process.version}; times in ms`,
  );
}

const folder = mkdtempSync(join(tmpdir(), "holdfast-bench-"));
let service: LargeService | null = null;
try {
  await prepare(folder, { sessions: Number(flags.sessions), revocations: Number(flags.revocations) });
  const spawned = await LargeService.spawn(settingsFor(folder), "ticks");
  ({ service } = spawned);
  await spawned.whenStarted;
  const rows = await run(service);
  const blocks = await service.takeTurns();
  print(rows, blocks);
  if (flags.json !== undefined) writeFileSync(flags.json, JSON.stringify({ rows, blocks }));
} finally {
  await service?.stop();
  rmSync(folder, { recursive: true, force: true });
}
