import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { HoldfastError } from "../core/errors.ts";
import { invalidOption, requireMethods } from "../core/options.ts";
import type { JwtClaims } from "../core/verdict.ts";
import type { Connection, Connections } from "../connections/index.ts";
import { writeResponse } from "./websocket/handshake-response.ts";
import { declareDegradedCauses, type UpgradeServer } from "./websocket/degraded-header.ts";
import { HandshakeAuthorizer, type ProtectOptions } from "./websocket/handshake.ts";
import { WsTransport, type ConnectionHost, type WsSocket } from "./websocket/ws-transport.ts";

export type { ProtectOptions } from "./websocket/handshake.ts";
export type { TokenFrom } from "./websocket/token-from.ts";

/** What is used of a `WebSocketServer`. */
export interface Server<S> extends UpgradeServer {
  readonly options: { readonly noServer?: boolean | undefined };
  readonly clients?: Set<S>;
  handleUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer, callback: (socket: S) => void): void;
  emit(event: "connection", ...args: unknown[]): boolean;
}

/** A request whose connection is open. */
export type ConnectedRequest<C = JwtClaims> = IncomingMessage & { readonly auth: Connection<C> };

const ignore = () => {};

/**
 * The `upgrade` listener for a `WebSocketServer({ noServer: true })`: a handshake becomes a connection when its token
 * is valid under the rules, and is answered 400, 401, 403, 429 or 503 otherwise. Then `wss` emits `connection`, and
 * `handler` is called with the request, which has the live connection on `auth`. Messages reach the application as
 * long as the token, or a new one from the client, is valid; then the socket is closed with a code that says why.
 *
 *     server.on("upgrade", protect(connections, { scopes: ["chat"] }, wss, (socket, request) => {
 *       socket.on("message", (data) => socket.send(`${request.auth.auth?.subject}: ${data}`));
 *     }));
 */
export function protect<S extends WsSocket, C = JwtClaims>(
  connections: Connections<C>,
  options: ProtectOptions,
  wss: Server<S>,
  handler: (socket: S, request: ConnectedRequest<C>) => unknown = ignore,
): (request: IncomingMessage, socket: Duplex, head: Buffer) => void {
  const authorizer = new HandshakeAuthorizer(connections, options);
  requireMethods("protect", "wss", wss, ["handleUpgrade", "emit", "on"]);
  if (typeof handler !== "function") throw invalidOption("protect: handler", "a function", handler);
  // One that listens itself would let everybody in.
  if (wss.options.noServer !== true) {
    throw new HoldfastError("invalid_option", "protect: wss must be made with { noServer: true }");
  }
  const causes = declareDegradedCauses(wss);
  const host: ConnectionHost<C, S, IncomingMessage> = {
    opened(socket, request) {
      wss.emit("connection", socket, request);
      handler(socket, request);
    },
  };
  const upgrade = async (request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> => {
    // Node has taken its own listener away, and an error without one ends the process.
    socket.on("error", ignore);
    const outcome = await authorizer.decide(request, socket);
    if (outcome.status === "aborted") return void socket.destroy();
    if (outcome.status === "refused") return writeResponse(socket, outcome.response);
    if (outcome.degraded !== null) causes.set(request, outcome.degraded);
    wss.handleUpgrade(request, socket, head, (upgraded) => {
      new WsTransport(upgraded, request, host, wss.clients).connect(authorizer, outcome);
    });
    return void socket.off("error", ignore);
  };
  // What the application throws stays as loud as under `ws` itself: it is not ours to answer.
  return (request, socket, head) => void upgrade(request, socket, head);
}
