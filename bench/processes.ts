/**
 * Measures what a second process of the service adds. One process and two processes stand behind HAProxy, which gives
 * each request to the next process. The figure is the processor time of all processes of the service for a request.
 * Each process has as many requests under way. The processes share one SQLite file. HAProxy, the clients, TLS and the network are left out.
 */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "../test/support/free-port.ts";
import { startService, type ServiceProcess } from "../test/support/service-process.ts";
import { compare, isWanted, report, type Measurement } from "./measure.ts";
import { HttpClient, IN_FLIGHT } from "./server-process.ts";

/** A program of the system, and no dependency. */
const HAPROXY = "haproxy";
const ROUNDS = 7;
const REQUESTS = 2_000;
const user = { username: "alice", password: "correct horse battery" };
const json = { "content-type": "application/json" };

/** One or more services on one file, behind HAProxy. */
interface Group {
  readonly folder: string;
  readonly services: readonly ServiceProcess[];
  readonly proxy: ChildProcess;
  readonly client: HttpClient;
}

function proxyConfiguration(port: number, services: readonly ServiceProcess[]): string {
  const servers = services.map(({ url }, i) => `  server s${i} ${new URL(url).host}`);
  return [
    "defaults",
    "  mode http",
    "  timeout connect 5s",
    "  timeout client 30s",
    "  timeout server 30s",
    "frontend public",
    `  bind 127.0.0.1:${port}`,
    "  default_backend holdfast",
    "backend holdfast",
    "  balance roundrobin",
    "  http-reuse always",
    ...servers,
    "",
  ].join("\n");
}

async function startGroup(size: number): Promise<Group> {
  const folder = mkdtempSync(join(tmpdir(), "holdfast-bench-"));
  const settings = { HOLDFAST_TRUSTED_PROXIES: "127.0.0.1", HOLDFAST_LOG_LEVEL: "error" };
  const services: ServiceProcess[] = [];
  for (let i = 0; i < size; i++) services.push(await startService(join(folder, "data"), settings));
  const port = await freePort();
  const file = join(folder, "haproxy.cfg");
  writeFileSync(file, proxyConfiguration(port, services));
  const proxy = spawn(HAPROXY, ["-db", "-q", "-f", file], { stdio: "inherit" });
  await once(proxy, "spawn");
  return { folder, services, proxy, client: new HttpClient(port, size * IN_FLIGHT) };
}

async function stopGroup({ folder, services, proxy, client }: Group): Promise<void> {
  client.close();
  proxy.kill();
  for (const service of services) await service.stop();
  rmSync(folder, { recursive: true });
}

/** The processor time of all threads of the group so far, in microseconds. */
function cpuMicros({ services }: Group): number {
  let nanos = 0;
  for (const { pid } of services) {
    for (const thread of readdirSync(`/proc/${pid}/task`)) {
      nanos += Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, "utf8").split(" ")[0]);
    }
  }
  return nanos / 1_000;
}

interface Tokens {
  access_token: string;
  refresh_token: string;
}

async function post(client: HttpClient, path: string, body: object): Promise<Tokens> {
  const { status, text } = await client.send({ method: "POST", path, headers: json }, JSON.stringify(body));
  if (status !== 200) throw new Error(`the answer to ${path} is ${status}: ${text}`);
  return JSON.parse(text) as Tokens;
}

type Work = (group: Group, tokens: Tokens[], worker: number) => Promise<void>;

const verify: Work = async ({ client }, tokens, worker) => {
  const authorization = `Bearer ${tokens[worker]?.access_token}`;
  const { status } = await client.send({ path: "/verify", headers: { authorization } });
  if (status !== 200) throw new Error(`the answer to /verify is ${status}`);
};
const refresh: Work = async ({ client }, tokens, worker) => {
  tokens[worker] = await post(client, "/auth/refresh", { refresh_token: tokens[worker]?.refresh_token });
};

const works: Readonly<Record<string, { readonly work: Work; readonly requests: number }>> = {
  "/verify": { work: verify, requests: 3 * REQUESTS },
  "a refresh": { work: refresh, requests: REQUESTS },
};

async function race(name: string, { work, requests }: (typeof works)[string]): Promise<Measurement> {
  const contenders = [{ name: "one process" }, { name: "two processes", target: 2 / 1.8 }];
  const groups = [await startGroup(1), await startGroup(2)];
  const tokens: Tokens[][] = [];
  for (const { client, services } of groups) {
    const logins = [];
    for (let i = 0; i < services.length * IN_FLIGHT; i++)
      logins.push(await post(client, "/auth/login", user));
    tokens.push(logins);
  }
  const micros: number[][] = groups.map(() => []);
  for (let round = -2; round < ROUNDS; round++) {
    for (const [i, group] of groups.entries()) {
      const before = cpuMicros(group);
      await group.client.sendMany(requests, async (worker) => await work(group, tokens[i] ?? [], worker));
      if (round >= 0) micros[i]?.push((cpuMicros(group) - before) / requests); // The first two warm up.
    }
  }
  for (const group of groups) await stopGroup(group);
  return compare(`processor time of the service for ${name}, behind HAProxy`, contenders, micros);
}

const measurements: Measurement[] = [];
for (const [name, work] of Object.entries(works))
  if (isWanted(name)) measurements.push(await race(name, work));
report(measurements);
