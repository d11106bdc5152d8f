import type { Server } from "node:http";
import type { RawData, WebSocket } from "ws";
import { protect } from "../adapters/ws.ts";
import { HoldfastError } from "../core/errors.ts";
import { createConnections } from "../connections/index.ts";
import type { Guard } from "../guard/types.ts";

/** So that what only the authority knows is soon known here. */
const RECHECK_MS = 2_000;

/** Live connections beside the API's requests: whatever is said comes back. */
export async function serveWebSockets(server: Server, guard: Guard, maxConnections: number): Promise<void> {
  const { WebSocketServer } = await loadWs();
  const room = { max: maxConnections, maxPending: maxConnections, maxPerSubject: maxConnections };
  const connections = createConnections({ guard, ...room, recheckMs: RECHECK_MS });
  const wss = new WebSocketServer({ noServer: true });
  wss.on("connection", (socket) => socket.on("message", echo));
  server.on("upgrade", protect(connections, {}, wss));
}

function echo(this: WebSocket, data: RawData, isBinary: boolean): void {
  this.send(data, { binary: isBinary });
}

async function loadWs(): Promise<typeof import("ws")> {
  try {
    return await import("ws");
  } catch (error) {
    const message = "Live connections need the package ws, which is not installed: npm install ws@8";
    throw new HoldfastError("upstream_failed", message, { cause: error });
  }
}
