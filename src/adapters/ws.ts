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
export type { MessageReader, TokenFrom } from "./websocket/token-from.ts";
export type { SocketClosing } from "./websocket/message-settings.ts";

/** The part of a `WebSocketServer` of `ws` that `protect` uses. */
export interface Server<S> extends UpgradeServer {
  readonly options: { readonly noServer?: boolean | undefined };
  readonly clients?: Set<S>;
  handleUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer, callback: (socket: S) => void): void;
  emit(event: "connection", ...args: unknown[]): boolean;
}

/** The request of an open connection. `auth` is the live connection. */
export type ConnectedRequest<C = JwtClaims> = IncomingMessage & { readonly auth: Connection<C> };

const ignore = () => {};

/**
 * Creates the `upgrade` listener for a `WebSocketServer({ noServer: true })`. A handshake with a valid token under the
 * rules becomes a connection. Other handshakes get 400, 401, 403, 429 or 503.
 *
 * For each connection `wss` emits `connection`, and then `handler` is called. Messages reach the application while the
 * token, or a newer one from the client, is valid. After that the socket closes with a code that tells the cause. Throws
 * `invalid_option` or `missing_method` at once.
 *
 * @example
 * ```ts
 * import { createServer } from "node:http";
 * import type { Connections } from "holdfast/connections";
 * import { protect } from "holdfast/ws";
 * import { WebSocketServer } from "ws";
 *
 * declare const connections: Connections;
 *
 * const wss = new WebSocketServer({ noServer: true });
 * const upgrade = protect(connections, { scopes: ["chat"] }, wss, (socket, request) => {
 *   socket.on("message", (data) => socket.send(`${request.auth.auth?.subject}: ${data}`));
 * });
 * createServer().on("upgrade", upgrade).listen(8080);
 * ```
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
  // A server that listens itself would accept every handshake.
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
    // Node has removed its own listener, and an error event without a listener ends the process.
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
  // An error of the application stays an unhandled rejection, as it is under `ws` without Holdfast.
  return (request, socket, head) => void upgrade(request, socket, head);
}
