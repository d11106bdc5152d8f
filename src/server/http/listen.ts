import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { type AddressInfo, isIPv6, Server as SocketServer, type Socket } from "node:net";
import { systemClock } from "../../core/clock.ts";
import { HoldfastError, systemErrorCode } from "../../core/errors.ts";
import { oauthErrorContent } from "../../core/oauth-error.ts";
import type { CorsPolicy } from "../../issuer/endpoints/cors.ts";
import { ConnectionLimits, type ConnectionLimitOptions } from "./connection-limits.ts";
import { applyCors, corsOfUnreadRequest } from "./cors.ts";
import { answerClientError, hasOneHost, refuseRequest } from "./request-listener.ts";
import { RouteTemplates } from "./route-templates.ts";
import { limitUnreadBody } from "../../adapters/http/unread-body.ts";

/** A request listener. Its return value is ignored. */
type Handler = (req: IncomingMessage, res: ServerResponse) => unknown;

export interface Listener {
  /** The address as bound, for example `http://127.0.0.1:4180`. */
  readonly address: string;
  readonly port: number;
  /**
   * Sends requests to `handler` from now on. The answer is 503 until the first call. `routes` are the templates of the
   * paths that it serves.
   */
  readonly mount: (handler: Handler, routes?: readonly string[]) => void;
  /** Accepts no new connection, lets requests under way finish, and closes every connection at the deadline. */
  readonly stop: () => Promise<void>;
}

/**
 * 32 KiB have room for a token of 16 KiB and the other headers. Times are in milliseconds; a request must arrive within
 * `requestTimeout`, with its body. `highWaterMark` bounds how many tiny chunks of a body are parsed before they are read.
 */
const limits = {
  maxHeaderSize: 32_768,
  headersTimeout: 10_000,
  requestTimeout: 10_000,
  connectionsCheckingInterval: 1000,
  highWaterMark: 16_384,
};
/** How long a silent connection stays open during a stop, because a request may be on its way. */
const LINGER_MS = 300;
const DRAIN_MS = 10_000;
const noOrigins: CorsPolicy = { origins: new Set(), cookieOrigins: new Set() };

/** By default, the number of connections has no limit. */
const unlimited: ConnectionLimitOptions = { max: Infinity, maxPerPeer: Infinity, peerOf: () => null };

interface ListenOptions {
  readonly connectionLimits?: ConnectionLimitOptions;
  /** With `cors`, every answer has the headers that let a page of a listed origin read it. */
  readonly cors?: CorsPolicy;
  /** Measures every request that has a head. */
  readonly measure?: (
    request: IncomingMessage,
    response: ServerResponse,
    findRoute: (target: string) => string | null,
  ) => void;
}

/** Listens on `host` and `port`. Rejects with `invalid_option` that names `setting` when it cannot. */
export async function listen(
  host: string,
  port: number,
  setting: string,
  { connectionLimits = unlimited, cors = noOrigins, measure = () => {} }: ListenOptions = {},
): Promise<Listener> {
  const connections = new ConnectionLimits(connectionLimits);
  let handler: Handler = answerStarting;
  let templates = new RouteTemplates([]);
  const findRoute = (target: string) => templates.find(target);
  let stopping = false;
  const answering = new Set<ServerResponse>();
  const sockets = new Set<Socket>();
  const server = createServer(limits, (req, res) => {
    answering.add(res);
    res.once("close", () => answering.delete(res));
    if (stopping) res.setHeader("Connection", "close");
    trackAnswer(connections, req, res);
    measure(req, res, findRoute);
    limitUnreadBody(req, res);
    if (applyCors(cors, req, res)) return;
    if (hasOneHost(req)) handler(req, res);
    else refuseRequest(res, "A request has one Host line.");
  });
  server.on("connection", (socket) => {
    if (!connections.accept(socket)) {
      socket.destroy();
      return;
    }
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });
  server.on("clientError", (error, socket) => {
    // A second answer would become a part of the one that is being sent.
    const isAnswering = [...answering].some((res) => res.socket === socket && res.headersSent);
    if (isAnswering || !socket.writable) socket.destroy();
    else answerClientError(error, socket, corsOfUnreadRequest(cors, error));
  });
  await bind(server, host, port, setting);
  const bound = server.address() as AddressInfo;
  return {
    address: httpAddress(bound.address, bound.port),
    port: bound.port,
    mount(next, routes = []) {
      handler = next;
      templates = new RouteTemplates(routes);
    },
    async stop() {
      stopping = true;
      for (const res of answering) if (!res.headersSent) res.setHeader("Connection", "close");
      const closed = once(server, "close");
      // close() of http.Server closes idle connections immediately, and loses requests that were already sent.
      SocketServer.prototype.close.call(server);
      const stopLinger = systemClock.after(
        LINGER_MS,
        () => {
          // closeIdleConnections() would keep connections that never sent a request.
          const busy = new Set([...answering].map((res) => res.socket));
          for (const socket of sockets) if (!busy.has(socket)) socket.destroy();
        },
        true,
      );
      const stopDrain = systemClock.after(DRAIN_MS, () => server.closeAllConnections(), true);
      await closed;
      stopLinger();
      stopDrain();
      server.close(); // It stops the timer for slow headers. Nothing listens any more.
    },
  };
}

/** A connection whose request has arrived as a whole is not closed to make room for others. */
function trackAnswer(connections: ConnectionLimits, req: IncomingMessage, res: ServerResponse): void {
  const { socket, headers } = req;
  const hasBody = headers["transfer-encoding"] !== undefined || Number(headers["content-length"] ?? 0) > 0;
  if (hasBody) req.once("end", () => connections.beginAnswer(socket));
  else connections.beginAnswer(socket);
  res.once("close", () => connections.endAnswer(socket));
}

export function httpAddress(host: string, port: number): string {
  return `http://${isIPv6(host) ? `[${host}]` : host}:${port}`;
}

function answerStarting(_: unknown, res: ServerResponse): void {
  const { headers, body } = oauthErrorContent("temporarily_unavailable", "The service is starting.", {
    "Retry-After": "1",
  });
  res.writeHead(503, headers).end(JSON.stringify(body));
}

async function bind(server: Server, host: string, port: number, setting: string): Promise<void> {
  const listening = once(server, "listening");
  server.listen({ host, port });
  try {
    await listening;
  } catch (error) {
    const message = `cannot listen on ${httpAddress(host, port)}: ${describeListenError(systemErrorCode(error), setting)}`;
    throw new HoldfastError("invalid_option", message, { cause: error });
  }
}

function describeListenError(errno: string | undefined, setting: string): string {
  if (errno === "EADDRINUSE") return `it is in use; choose another ${setting}`;
  if (errno === "EACCES") return `this user may not use that port; choose another ${setting}`;
  const absent = errno === "ENOTFOUND" || errno === "EADDRNOTAVAIL";
  return `${absent ? "this machine has no such address" : `the system reports ${errno}`}; choose another HOLDFAST_HOST`;
}
