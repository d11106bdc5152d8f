import { once } from "node:events";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import type { TestContext } from "node:test";
import type { WebSocketServer } from "ws";

/** Starts a server with an `upgrade` listener. Resolves with its address for WebSockets. */
export async function startUpgradeServer(
  t: TestContext,
  wss: WebSocketServer,
  upgrade: (request: IncomingMessage, socket: Duplex, head: Buffer) => void,
): Promise<string> {
  const server = createServer().on("upgrade", upgrade);
  t.after(async () => {
    for (const socket of wss.clients) socket.terminate();
    await server[Symbol.asyncDispose]();
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  return `ws://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
