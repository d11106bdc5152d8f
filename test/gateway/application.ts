import { once } from "node:events";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { WebSocketServer } from "ws";

/** A request as the application behind the proxy received it. */
export interface ReceivedRequest {
  readonly method: string;
  readonly url: string;
  /** The headers by lower-case name. `_` and `.` are `-`, as CGI, WSGI and PHP read them. */
  readonly headers: Readonly<Record<string, readonly string[]>>;
  readonly body: string;
}

export interface Application {
  readonly port: number;
  /** Every request that passed the proxy, in order. */
  readonly requests: ReceivedRequest[];
  stop(): Promise<void>;
}

function toReceivedRequest(req: IncomingMessage, body: string): ReceivedRequest {
  const headers: Record<string, string[]> = {};
  for (let i = 0; i < req.rawHeaders.length; i += 2) {
    const name = (req.rawHeaders[i] ?? "").toLowerCase().replaceAll(/[_.]/g, "-");
    (headers[name] ??= []).push(req.rawHeaders[i + 1] ?? "");
  }
  return { method: req.method ?? "", url: req.url ?? "", headers, body };
}

/**
 * Starts an application that answers 200 with the request it received, and `/orders/answers/401` with that status. It
 * sends WebSocket messages back.
 */
export async function startApplication(): Promise<Application> {
  const seen: ReceivedRequest[] = [];
  const server = createServer({ maxHeaderSize: 131_072 }, (req, res) => {
    void (async () => {
      const request = { ...toReceivedRequest(req, "") };
      seen.push(request); // An interrupted request has passed, too.
      request.body = (await req.toArray().catch(() => ["broken off"])).join("");
      const status = Number(/\/answers\/(\d{3})/.exec(request.url)?.[1] ?? 200);
      res.writeHead(status, { "content-type": "application/json", "www-authenticate": "Application" });
      res.end(JSON.stringify(request));
    })();
  });
  server.on("upgrade", (req) => seen.push(toReceivedRequest(req, ""))); // Any upgrade counts.
  server.on("connect", (req, socket) => {
    seen.push(toReceivedRequest(req, ""));
    socket.on("error", () => {}).end();
  });
  const sockets = new WebSocketServer({ server });
  sockets.on("connection", (socket) => {
    socket.on("message", (data) => socket.send(data, { binary: false }));
    socket.on("error", () => {});
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    requests: seen,
    async stop() {
      const closed = once(server, "close");
      for (const socket of sockets.clients) socket.terminate();
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}
