/**
 * Measures what a guard costs an HTTP server: the adapter of each framework, and the gateway's `/verify`. The floor is
 * the same server that answers 204, and every token is in memory. Each server runs in a separate process. The figure is
 * its processor time for a request, because on a small machine the client limits the requests per second.
 * TLS, HTTP/2 and the network are left out.
 */
import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { Agent, createServer, get } from "node:http";
import type { AddressInfo } from "node:net";
import { createGuard } from "../src/guard/create-guard.ts";
import { staticKeys } from "../src/guard/keys/static-keys.ts";
import { generateSigningKey, signToken } from "../src/jwt/sign.ts";
import { audience, claims, issuer } from "./claims.ts";
import { listeners } from "./http-listeners.ts";
import { compare, report, type Measurement } from "./measure.ts";

const ROUNDS = 9;
const REQUESTS = 6_000;
const IN_FLIGHT = 32;

interface Mode {
  readonly kind: keyof typeof listeners;
  readonly guarded: boolean;
  /** Sends the requests that nginx sends, which have three more headers. */
  readonly asNginx?: true;
}

const nginx = {
  path: "/verify/nginx",
  headers: {
    "x-original-method": "GET",
    "x-original-uri": "/orders/7?page=2",
    "x-forwarded-host": "api.example.com",
  },
};

async function serveAs({ kind, guarded }: Mode): Promise<void> {
  const key = await generateSigningKey("ES256");
  const guard = createGuard({ issuer, audience, keys: staticKeys({ keys: [key.publicJwk] }) });
  const listener = await listeners[kind](guarded ? guard : undefined);
  const server = createServer(listener).listen(0, "127.0.0.1");
  await once(server, "listening");
  process.on("message", () => process.send?.(process.cpuUsage()));
  process.send?.({ port: (server.address() as AddressInfo).port, token: signToken(claims(), key) });
}

class Subject {
  readonly child: ChildProcess;
  readonly agent = new Agent({ keepAlive: true, maxSockets: IN_FLIGHT });
  readonly #address: { port: number; token: string };

  readonly #asked: { path: string; headers: Record<string, string> };

  constructor(child: ChildProcess, address: { port: number; token: string }, { asNginx }: Mode) {
    this.child = child;
    this.#address = address;
    this.#asked = asNginx === true ? nginx : { path: "/verify", headers: {} };
  }

  static async start(mode: Mode): Promise<Subject> {
    const child = fork(import.meta.filename, [], {
      env: { ...process.env, HTTP_BENCH_MODE: JSON.stringify(mode) },
    });
    const [address] = (await once(child, "message")) as [{ port: number; token: string }];
    return new Subject(child, address, mode);
  }

  async #cpuMicros(): Promise<number> {
    this.child.send("cpu");
    const [{ user, system }] = (await once(this.child, "message")) as [NodeJS.CpuUsage];
    return user + system;
  }

  async #request(): Promise<void> {
    const { port, token } = this.#address;
    const headers = { authorization: `Bearer ${token}`, ...this.#asked.headers };
    await new Promise<void>((resolve, reject) => {
      get({ port, host: "127.0.0.1", path: this.#asked.path, agent: this.agent, headers }, (res) => {
        res
          .resume()
          .once("end", () => (res.statusCode === 200 || res.statusCode === 204 ? resolve() : reject()));
      }).once("error", reject);
    });
  }

  /** Processor microseconds of the server for a request. */
  async round(): Promise<number> {
    const before = await this.#cpuMicros();
    let left = REQUESTS;
    await Promise.all(
      Array.from({ length: IN_FLIGHT }, async () => {
        while (left-- > 0) await this.#request();
      }),
    );
    return ((await this.#cpuMicros()) - before) / REQUESTS;
  }

  stop(): void {
    this.agent.destroy();
    this.child.kill();
  }
}

interface Contender {
  readonly name: string;
  readonly mode: Mode;
  readonly target?: number;
  readonly against?: { readonly name: string; readonly target: number };
}

async function race(question: string, contenders: readonly Contender[]): Promise<Measurement> {
  const subjects = await Promise.all(contenders.map(async ({ mode }) => await Subject.start(mode)));
  const micros: number[][] = contenders.map(() => []);
  for (let round = -2; round < ROUNDS; round++) {
    for (const [i, subject] of subjects.entries()) {
      const each = await subject.round();
      if (round >= 0) micros[i]?.push(each); // The first two warm up.
    }
  }
  for (const subject of subjects) subject.stop();
  return compare(question, contenders, micros);
}

async function run(): Promise<void> {
  const question = "server processor time for a request, memory hit";
  const measurements = [
    await race(question, [
      { name: "a server answering 204", mode: { kind: "node", guarded: false } },
      { name: "protect() on node:http", mode: { kind: "node", guarded: true }, target: 1.1 },
      { name: "/verify of the gateway", mode: { kind: "gateway", guarded: true }, target: 1.15 },
    ]),
    await race(`${question}, asked by nginx`, [
      { name: "a server answering 204", mode: { kind: "node", guarded: false, asNginx: true } },
      {
        name: "/verify with twenty rules",
        mode: { kind: "policy", guarded: true, asNginx: true },
        target: 1.25,
      },
      {
        name: "/verify with 1,000 rules",
        mode: { kind: "longPolicy", guarded: true, asNginx: true },
        against: { name: "/verify with twenty rules", target: 1.04 },
      },
    ]),
  ];
  for (const kind of ["express", "fastify", "hono", "nestjs"] as const) {
    const contenders = [
      { name: `${kind} answering 204`, mode: { kind, guarded: false } },
      { name: `protect() on ${kind}`, mode: { kind, guarded: true } },
    ];
    measurements.push(await race(`${question}, on ${kind}`, contenders));
  }
  report(measurements);
}

const mode = process.env["HTTP_BENCH_MODE"];
await (mode === undefined ? run() : serveAs(JSON.parse(mode) as Mode));
