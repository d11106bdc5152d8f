/**
 * Measures what a guard costs an HTTP server: the adapter of each framework, and the gateway's `/verify`. The floor is
 * the same server that answers 204, and every token is in memory. Each server runs in a separate process. The figure is
 * its processor time for a request, because on a small machine the client limits the requests per second.
 * TLS, HTTP/2 and the network are left out.
 */
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { createGuard } from "../src/guard/create-guard.ts";
import { staticKeys } from "../src/guard/keys/static-keys.ts";
import { generateSigningKey, signToken } from "../src/jwt/sign.ts";
import { audience, claims, issuer } from "./claims.ts";
import { listeners } from "./http-listeners.ts";
import { compare, isWanted, report, type Measurement } from "./measure.ts";
import { reportServer, serverMode, ServerProcess, type ServerAddress } from "./server-process.ts";

const ROUNDS = 9;
const REQUESTS = 6_000;

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

interface Address extends ServerAddress {
  readonly token: string;
}

async function serveAs({ kind, guarded }: Mode): Promise<void> {
  const key = await generateSigningKey("ES256");
  const guard = createGuard({ issuer, audience, keys: staticKeys({ keys: [key.publicJwk] }) });
  const listener = await listeners[kind](guarded ? guard : undefined);
  const server = createServer(listener).listen(0, "127.0.0.1");
  await once(server, "listening");
  const address: Address = { port: (server.address() as AddressInfo).port, token: signToken(claims(), key) };
  reportServer(address);
}

type Server = ServerProcess<Address>;

async function sendOne({ client, address: { token } }: Server, { asNginx }: Mode): Promise<void> {
  const { path, headers } = asNginx === true ? nginx : { path: "/verify", headers: {} };
  const { status } = await client.send({ path, headers: { authorization: `Bearer ${token}`, ...headers } });
  if (status !== 200 && status !== 204) throw new Error(`the answer to ${path} is ${status}`);
}

interface Contender {
  readonly name: string;
  readonly mode: Mode;
  readonly target?: number;
  readonly against?: { readonly name: string; readonly target: number };
}

async function race(question: string, contenders: readonly Contender[]): Promise<Measurement> {
  const start = async ({ mode }: Contender) => await ServerProcess.start<Address>(import.meta.filename, mode);
  const servers = await Promise.all(contenders.map(start));
  const micros: number[][] = contenders.map(() => []);
  for (let round = -2; round < ROUNDS; round++) {
    for (const [i, server] of servers.entries()) {
      const { mode } = contenders[i] as Contender;
      const each = await server.measure(REQUESTS, async () => await sendOne(server, mode));
      if (round >= 0) micros[i]?.push(each.all); // The first two warm up.
    }
  }
  for (const server of servers) server.stop();
  return compare(question, contenders, micros);
}

async function run(): Promise<void> {
  const question = "server processor time for a request, memory hit";
  const races: Record<string, readonly Contender[]> = {
    [question]: [
      { name: "a server answering 204", mode: { kind: "node", guarded: false } },
      { name: "protect() on node:http", mode: { kind: "node", guarded: true }, target: 1.1 },
      { name: "/verify of the gateway", mode: { kind: "gateway", guarded: true }, target: 1.15 },
    ],
    [`${question}, asked by nginx`]: [
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
    ],
  };
  for (const kind of ["express", "fastify", "hono", "nestjs"] as const) {
    races[`${question}, on ${kind}`] = [
      { name: `${kind} answering 204`, mode: { kind, guarded: false } },
      { name: `protect() on ${kind}`, mode: { kind, guarded: true } },
    ];
  }
  const measurements: Measurement[] = [];
  for (const [name, contenders] of Object.entries(races)) {
    if (isWanted(name)) measurements.push(await race(name, contenders));
  }
  report(measurements);
}

const mode = serverMode() as Mode | null;
await (mode === null ? run() : serveAs(mode));
