/* An echo server on `ws`, bare or guarded. It is a separate process, and reports its memory and processor time. */
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { WebSocketServer, type RawData, type WebSocket } from "ws";
import { protect } from "../../src/adapters/ws.ts";
import { createConnections } from "../../src/connections/index.ts";
import { createGuard } from "../../src/guard/create-guard.ts";
import { staticKeys } from "../../src/guard/keys/static-keys.ts";
import { generateSigningKey, signToken } from "../../src/jwt/sign.ts";
import { memoryStore } from "../../src/stores/memory.ts";
import { audience, claims, issuer } from "../claims.ts";

export type ServerMode = "bare" | "guarded";

/** The requests of the parent process. */
export type Question =
  | { readonly ask: "usage" }
  | { readonly ask: "tokens"; readonly count: number }
  | { readonly ask: "remember"; readonly tokens: readonly string[] }
  | { readonly ask: "revoke"; readonly sessions: readonly string[] };

export interface Usage {
  /** After a collection, bytes. */
  readonly heap: number;
  readonly rss: number;
  /** Processor time so far, microseconds. */
  readonly micros: number;
  /** How often a connection was closed by the server, by code. */
  readonly closed: Readonly<Record<number, number>>;
}

function echo(this: WebSocket, data: RawData, isBinary: boolean): void {
  this.send(data, { binary: isBinary });
}

const mode = process.argv[2] as ServerMode;
const key = await generateSigningKey("ES256");
const { revocations } = memoryStore();
const keys = staticKeys({ keys: [key.publicJwk] });
const guard = createGuard({ issuer, audience, keys, revocations });
const connections = createConnections({ guard, maxPending: 10_000 });
const wss = new WebSocketServer({ noServer: true, perMessageDeflate: false });
wss.on("connection", (socket) => void socket.on("message", echo));
const server = createServer();
server.on(
  "upgrade",
  mode === "guarded"
    ? protect(connections, {}, wss)
    : (req, socket, head) =>
        wss.handleUpgrade(req, socket, head, (ws) => void wss.emit("connection", ws, req)),
);
server.listen({ port: 0, host: "127.0.0.1", backlog: 2048 });
await once(server, "listening");

async function answer(question: Question): Promise<unknown> {
  if (question.ask === "tokens") {
    return Array.from({ length: question.count }, () => {
      const own = claims();
      return { token: signToken(own, key), session: own["sid"] };
    });
  }
  if (question.ask === "remember") {
    for (const token of question.tokens) await guard.validate(token);
    return null;
  }
  if (question.ask === "revoke") {
    const until = Date.now() + 3_600_000;
    for (const id of question.sessions) await revocations.append({ kind: "session", id, issuer, until });
    return null;
  }
  for (let turn = 0; turn < 4; turn++) globalThis.gc?.();
  const { heapUsed, external, rss } = process.memoryUsage();
  const { user, system } = process.cpuUsage();
  const { closed } = connections.status();
  return { heap: heapUsed + external, rss, micros: user + system, closed } satisfies Usage;
}

process.on(
  "message",
  (question: Question) => void answer(question).then((said) => process.send?.(said ?? {})),
);
process.on("disconnect", () => process.exit());
process.send?.((server.address() as AddressInfo).port);
