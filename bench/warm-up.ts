/**
 * Measures what the warm-up of shared answers saves in the first second of a new instance. Each run is a new process, so
 * that nothing is compiled or cached. It starts a guard, waits for `ready()`, and validates tokens of a hot set at a fixed
 * rate. Runs with and without the warm-up alternate. Redis is real and answers `REDIS_DELAY_MS` late, as over a network.
 */
import { fork } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { createGuard, introspection, staticKeys } from "../src/index.ts";
import { redisAnswers } from "../src/stores/redis.ts";
import type { SharedAnswersSource } from "../src/stores/shared-answers.ts";
import { createFaultProxy, createMint } from "../src/testing/index.ts";
import { RedisServer } from "../test/support/redis-servers.ts";

const TOKENS = 1_000;
const REQUESTS_PER_S = 1_000;
const RUN_MS = 1_000;
const RUNS = 8;
const REDIS_DELAY_MS = 1;
const AUTHORITY_DELAY_MS = 20;
const ISSUER = "https://id.example.com";
const AUDIENCE = "https://api.example.com";

/** The task of a child process. */
interface Task {
  readonly redisUrl: string;
  readonly authorityUrl: string;
  readonly role: "seed" | "with warm-up" | "without";
}

/** Milliseconds from the call to the verdict, for the first use of each token. */
interface RunResult {
  readonly firstUseMs: readonly number[];
  readonly warmed: number;
}

const tokens = Array.from({ length: TOKENS }, (_, i) => `token-${"x".repeat(30)}-${i}`);

function quantile(values: readonly number[], fraction: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * fraction))] ?? Number.NaN;
}

/** The same shared answers with an empty list of recent entries. The first read still waits for the connection. */
function withoutWarmUp(source: SharedAnswersSource): SharedAnswersSource {
  return {
    ...source,
    open(context) {
      const answers = source.open(context);
      return {
        get: async (names) => await answers.get(names),
        set: async (entries) => await answers.set(entries),
        used: async (list, names) => await answers.used(list, names),
        recent: async () => {
          await answers.get(["probe"]);
          return [];
        },
        close: async () => await answers.close(),
      };
    },
  };
}

async function runChild({ redisUrl, authorityUrl, role }: Task): Promise<RunResult> {
  const mint = await createMint({ issuer: ISSUER, audience: AUDIENCE });
  const source = redisAnswers({ url: redisUrl, secret: "a secret of the benchmark and nothing else" });
  const guard = createGuard({
    issuer: ISSUER,
    audience: AUDIENCE,
    keys: staticKeys(mint.jwks()),
    shared: role === "without" ? withoutWarmUp(source) : source,
    authority: introspection({
      url: authorityUrl,
      clientId: "bench",
      clientSecret: "secret-of-the-bench",
      opaque: true,
    }),
  });
  await guard.ready();
  if (role === "seed") {
    await Promise.all(tokens.map(async (token) => await guard.validate(token)));
    // The list of recently used entries is published once a second.
    await sleep(2_500);
    await guard.close();
    return { firstUseMs: [], warmed: 0 };
  }
  const used = new Set<string>();
  const firstUseMs: number[] = [];
  const validate = async (token: string): Promise<void> => {
    const isFirst = !used.has(token);
    used.add(token);
    const startedAt = performance.now();
    await guard.validate(token);
    if (isFirst) firstUseMs.push(performance.now() - startedAt);
  };
  const calls: Promise<void>[] = [];
  const startedAt = performance.now();
  for (let elapsedMs = 0; elapsedMs < RUN_MS; elapsedMs = performance.now() - startedAt) {
    while (calls.length < (elapsedMs * REQUESTS_PER_S) / 1_000) {
      calls.push(validate(tokens[Math.floor(Math.random() * TOKENS)] ?? ""));
    }
    await sleep(1);
  }
  await Promise.all(calls);
  const warmed = guard.status().shared?.warmed ?? 0;
  await guard.close();
  return { firstUseMs, warmed };
}

async function runParent(): Promise<void> {
  let questions = 0;
  const authority = createServer((req, res) => {
    let body = "";
    req.on("data", (chunk) => (body += String(chunk)));
    req.on("end", () => {
      const active = body.includes("token=token-");
      if (active) questions++;
      const claims = {
        iss: ISSUER,
        aud: AUDIENCE,
        sub: "5f2b8c1e",
        scope: "orders:read",
        exp: 4_000_000_000,
      };
      const json = JSON.stringify(active ? { active, ...claims } : { active });
      setTimeout(() => res.setHeader("Content-Type", "application/json").end(json), AUTHORITY_DELAY_MS);
    });
  }).listen(0, "127.0.0.1");
  await once(authority, "listening");
  const authorityUrl = `http://127.0.0.1:${(authority.address() as AddressInfo).port}/introspect`;
  const server = await RedisServer.start(["appendfsync everysec"]);
  const proxy = await createFaultProxy({ target: server.url });
  const run = async (role: Task["role"]): Promise<RunResult> => {
    const task: Task = { redisUrl: proxy.url, authorityUrl, role };
    const child = fork(import.meta.filename, [JSON.stringify(task)]);
    const [result] = (await once(child, "message")) as [RunResult];
    await once(child, "exit");
    return result;
  };
  try {
    // The first process compiles everything, so some of its reads and writes miss their deadlines.
    for (let i = 0; i < 3; i++) await run("seed");
    proxy.set({ kind: "latency", ms: REDIS_DELAY_MS });
    const rows = (["with warm-up", "without"] as const).map((role) => ({
      role,
      medians: [] as number[],
      tails: [] as number[],
      warmed: [] as number[],
      questions: 0,
    }));
    for (let i = 0; i < RUNS; i++) {
      for (const row of i % 2 === 0 ? rows : rows.toReversed()) {
        questions = 0;
        const { firstUseMs, warmed } = await run(row.role);
        row.medians.push(quantile(firstUseMs, 0.5));
        row.tails.push(quantile(firstUseMs, 0.99));
        row.warmed.push(warmed);
        row.questions += questions;
      }
    }
    console.log(`first use of a token in the first second, medians over ${RUNS} runs`);
    for (const { role, medians, tails, warmed, questions: asked } of rows) {
      console.log(
        `  ${role.padEnd(14)} median ${quantile(medians, 0.5).toFixed(2)} ms  p99 ${quantile(tails, 0.5).toFixed(1)} ms` +
          `  entries warmed ${quantile(warmed, 0.5)}  questions to the authority ${asked}`,
      );
    }
  } finally {
    await proxy.close();
    await server.stop();
    authority.close();
  }
}

const [task] = process.argv.slice(2);
if (task === undefined) await runParent();
else {
  const result = await runChild(JSON.parse(task) as Task);
  process.send?.(result, () => process.exit(0));
}
