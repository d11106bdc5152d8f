/**
 * Measures two things that the store's own thread is for. First: how long `/verify` of a remembered token takes while
 * each commit waits for a slow disk. Second: how long a rotation takes while another process writes to the same file.
 * Each row is measured with the thread and without it. A slow disk is simulated: each commit blocks its thread for that
 * long. Requests start at fixed times, so a wait counts for every request that it delays.
 */
import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { Agent, createServer, get } from "node:http";
import type { AddressInfo } from "node:net";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "../src/core/clock.ts";
import { createGateway } from "../src/gateway/gateway.ts";
import { createGuard } from "../src/guard/create-guard.ts";
import { staticKeys } from "../src/guard/keys/static-keys.ts";
import { generateSigningKey, signToken } from "../src/jwt/sign.ts";
import { openInThisThread } from "../src/stores/sqlite/open.ts";
import { openInThread } from "../src/stores/sqlite/thread-store.ts";
import { sqliteStore } from "../src/stores/sqlite.ts";
import type { Store } from "../src/stores/store.ts";
import { audience, claims, issuer } from "./claims.ts";
import { openLoop, summarize, type Summary } from "./open-loop.ts";
import { createSessions } from "./sessions.ts";

interface Job {
  readonly role: "service" | "rotator";
  readonly file: string;
  readonly thread: boolean;
  readonly commitDelayMs: number;
  readonly rotationsPerS: number;
  readonly seconds: number;
}

const secondsAt = process.argv.indexOf("--seconds");
const SECONDS = secondsAt === -1 ? 4 : Number(process.argv[secondsAt + 1]);
/** `verify` or `rotation` measures only that half. */
const onlyAt = process.argv.indexOf("--only");
const ONLY = onlyAt === -1 ? null : process.argv[onlyAt + 1];
const VERIFY_PER_S = 200;
/** Two processes at this rate keep the file locked for less than half of the time. */
const SHARED_PER_S = 300;

async function openDelayed({ file, thread, commitDelayMs }: Job): Promise<Store> {
  const options = { file, lockTimeoutMs: 10_000, clock: systemClock, random: Math.random, commitDelayMs };
  return thread ? await openInThread(options) : await openInThisThread(options);
}

/** Answers `/verify`, and rotates sessions while it is told to. */
async function serve(job: Job): Promise<void> {
  const plain = await sqliteStore({ file: job.file });
  let store = plain;
  const rotateNext = await createSessions(plain, { count: 300, rotateOn: () => store });
  await plain.close();
  store = await openDelayed(job);
  const key = await generateSigningKey("ES256");
  const keys = staticKeys({ keys: [key.publicJwk] });
  const guard = createGuard({ issuer, audience, keys, revocations: store.revocations });
  await guard.ready();
  const server = createServer(createGateway(guard)).listen(0, "127.0.0.1");
  await once(server, "listening");
  process.on("message", () => {
    setInterval(() => void rotateNext(), 1000 / job.rotationsPerS);
  });
  process.send?.({ port: (server.address() as AddressInfo).port, token: signToken(claims(), key) });
}

/** Rotates at the rate of its job, and reports the times. */
async function rotate(job: Job): Promise<void> {
  const store = await sqliteStore({ file: job.file, thread: job.thread });
  const rotateNext = await createSessions(store, { prefix: String(process.pid), count: 200 });
  process.send?.("ready");
  await once(process, "message");
  const times = await openLoop(job.rotationsPerS, job.seconds, rotateNext);
  await store.close();
  process.send?.(times);
}

function start(job: Job): ChildProcess {
  return fork(import.meta.filename, [], { env: { ...process.env, SLOW_DISK_JOB: JSON.stringify(job) } });
}

async function verifyTimes(job: Job) {
  const child = start(job);
  const [{ port, token }] = (await once(child, "message")) as [{ port: number; token: string }];
  const agent = new Agent({ keepAlive: true, maxSockets: 64 });
  const headers = { authorization: `Bearer ${token}` };
  const verify = () =>
    new Promise<void>((resolve, reject) => {
      const request = get({ port, host: "127.0.0.1", path: "/verify", agent, headers }, (res) => {
        if (res.statusCode !== 204 && res.statusCode !== 200) reject(new Error(`status ${res.statusCode}`));
        res.resume().on("end", resolve);
      });
      request.on("error", reject);
    });
  await openLoop(VERIFY_PER_S, 1, verify);
  const idle = summarize(await openLoop(VERIFY_PER_S, job.seconds, verify));
  child.send("rotate");
  await openLoop(VERIFY_PER_S, 1, verify);
  const loaded = summarize(await openLoop(VERIFY_PER_S, job.seconds, verify));
  agent.destroy();
  child.kill();
  return { idle, loaded };
}

async function rotationTimes(job: Job, processes: number) {
  const children = Array.from({ length: processes }, () => start(job));
  await Promise.all(children.map((child) => once(child, "message")));
  const results = children.map((child) => once(child, "message") as Promise<[number[]]>);
  for (const child of children) child.send("go");
  const times = (await Promise.all(results)).flatMap(([each]) => each);
  for (const child of children) child.disconnect();
  return summarize(times.toSorted((a, b) => a - b));
}

async function compareAll(dir: string) {
  const rows: Record<string, Summary> = {};
  const add = (name: string, times: Summary) => {
    rows[name] = times;
    console.error(name, times);
  };
  let n = 0;
  const job = (role: Job["role"], thread: boolean, commitDelayMs: number, rotationsPerS: number): Job => {
    return { role, file: join(dir, `${n++}.db`), thread, commitDelayMs, rotationsPerS, seconds: SECONDS };
  };
  for (const thread of [false, true]) {
    const where = thread ? "own thread" : "same thread";
    for (const [delayMs, perS] of [
      [10, 100],
      [200, 3],
    ] as const) {
      if (ONLY === "rotation") break;
      const { idle, loaded } = await verifyTimes(job("service", thread, delayMs, perS));
      if (delayMs === 10) add(`/verify, ${where}, no rotation`, idle);
      add(`/verify, ${where}, commit ${delayMs} ms, ${perS} rotations/s`, loaded);
    }
    for (const processes of ONLY === "verify" ? [] : [1, 2]) {
      const name = `rotation, ${where}, ${processes} process(es), ${SHARED_PER_S}/s each`;
      add(name, await rotationTimes(job("rotator", thread, 0, SHARED_PER_S), processes));
    }
  }
  return rows;
}

const role = process.env["SLOW_DISK_JOB"];
if (role === undefined) {
  const dir = mkdtempSync(join(tmpdir(), "holdfast-bench-"));
  try {
    const rows = await compareAll(dir);
    console.log(`${cpus()[0]?.model}, ${cpus().length} cores, Node ${process.version}; times in ms`);
    const rounded = Object.entries(rows).map(([name, times]) => {
      return [
        name,
        Object.fromEntries(Object.entries(times).map(([key, ms]) => [key, Number(ms.toFixed(2))])),
      ];
    });
    console.table(Object.fromEntries(rounded));
    const jsonAt = process.argv.indexOf("--json");
    if (jsonAt !== -1) writeFileSync(process.argv[jsonAt + 1] ?? "", JSON.stringify(rows));
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
} else {
  // A parent that is killed stops nothing, and a service would rotate for ever.
  process.once("disconnect", () => process.kill(process.pid, "SIGKILL"));
  const job = JSON.parse(role) as Job;
  await (job.role === "service" ? serve(job) : rotate(job));
}
