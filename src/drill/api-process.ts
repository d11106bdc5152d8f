import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { RawData, WebSocket } from "ws";
import { protect } from "../adapters/node-http.ts";
import { protect as protectWebSocket } from "../adapters/ws.ts";
import { createConnections } from "../connections/index.ts";
import { createGuard, HoldfastError, introspection, jwks, type Guard, type Rules } from "../index.ts";
import { memoryStore } from "../stores/memory.ts";
import { answerParent } from "./drill-process.ts";

/** The first message to the API. */
export interface ApiConfig {
  readonly issuer: string;
  readonly audience: string;
  /** The base address of the provider. */
  readonly provider: string;
  readonly clientId: string;
  readonly clientSecret: string;
  /** How many WebSocket connections may be open. The API accepts none when it is 0. */
  readonly connections: number;
}

export interface ApiReady {
  readonly url: string;
}

/** Writes a revocation to the log of the API. */
export interface RevokeMessage {
  /** The `jti` of the token. */
  readonly revoke: string;
  /** Epoch ms. */
  readonly until: number;
}

/** Makes the API resume a stopped process when the API exits. A stopped process cannot notice that its parent is gone. */
export interface ResumeAtExit {
  readonly resumeAtExit: number;
}

/** The time to live of a validation result. It is short, so that the guard asks the authority all the time. */
const MEMORY_TTL_MS = 2_000;
const KEY_OPTIONS = { freshMs: 5_000, coolDownMs: 1_000 };
/** The interval of the rechecks, after which a connection learns what only the authority knows. */
const RECHECK_MS = 2_000;

const revocations = memoryStore().revocations;
let issuer: string | undefined;

answerParent(async (message) => {
  if (issuer === undefined) return await startApi(message as ApiConfig);
  const command = message as RevokeMessage | ResumeAtExit;
  if ("revoke" in command) {
    await revocations.append({ kind: "token", id: command.revoke, issuer, until: command.until });
  } else process.once("exit", () => resumeProcess(command.resumeAtExit));
  return {};
});

function resumeProcess(pid: number): void {
  try {
    process.kill(pid, "SIGCONT");
  } catch {
    // The process has ended already.
  }
}

/** Starts an API that `protect` guards. Its extra headers report how each decision was made. */
async function startApi(config: ApiConfig): Promise<ApiReady> {
  const { audience, provider, clientId, clientSecret } = config;
  issuer = config.issuer;
  const guard = createGuard({
    issuer,
    audience,
    keys: jwks(`${provider}/jwks`, KEY_OPTIONS),
    authority: introspection({ url: `${provider}/introspect`, clientId, clientSecret }),
    degraded: "local",
    memory: { ttlMs: MEMORY_TTL_MS },
    revocations,
    warnings: false,
  });
  await guard.ready({ timeoutMs: 30_000 });
  const tookMs = new WeakMap<object, number>();
  const timedGuard: Pick<Guard, "authorize"> = {
    async authorize(token: string, rules?: Rules) {
      const startedAt = performance.now();
      const decision = await guard.authorize(token, rules);
      tookMs.set(decision, performance.now() - startedAt);
      return decision;
    },
  };
  const server = createServer(
    protect(timedGuard, {}, ({ auth }, res) => {
      res.setHeader("Server-Timing", `guard;dur=${tookMs.get(auth)}`);
      const { breaker, softTimeoutMs } = guard.status().issuers[0]?.authority ?? {};
      res.setHeader("X-Breaker", breaker ?? "").setHeader("X-Soft-Timeout", softTimeoutMs ?? 0);
      res.end();
    }),
  );
  if (config.connections > 0) await serveWebSockets(server, guard, config.connections);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/` };
}

/** Accepts WebSocket connections beside the requests. The server sends every message back. */
async function serveWebSockets(server: Server, guard: Guard, max: number): Promise<void> {
  const { WebSocketServer } = await loadWs();
  const limits = { max, maxPending: max, maxPerSubject: max };
  const connections = createConnections({ guard, ...limits, recheckMs: RECHECK_MS });
  const wss = new WebSocketServer({ noServer: true });
  wss.on("connection", (socket) => socket.on("message", echo));
  server.on("upgrade", protectWebSocket(connections, {}, wss));
}

function echo(this: WebSocket, data: RawData, isBinary: boolean): void {
  this.send(data, { binary: isBinary });
}

async function loadWs(): Promise<typeof import("ws")> {
  try {
    return await import("ws");
  } catch (error) {
    const message = "WebSocket connections need the package ws, which is not installed: npm install ws@8";
    throw new HoldfastError("upstream_failed", message, { cause: error });
  }
}
