import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import type { Connections } from "../connections/index.ts";
import { invalidOption } from "../core/options.ts";
import type { JwtClaims } from "../core/verdict.ts";
import { readConnectionParams, readTokenMessage, type ParamsReader } from "./websocket/connection-params.ts";
import type { WsSocket } from "./websocket/ws-transport.ts";
import { protect as protectWs, type ConnectedRequest, type ProtectOptions, type Server } from "./ws.ts";

export type { ConnectedRequest, Server, SocketClosing, TokenFrom } from "./ws.ts";

/** The rules of an endpoint, and where its clients put their token. */
export interface TrpcProtectOptions extends Omit<ProtectOptions, "messages"> {
  /** Returns the token in the `connectionParams` of the client. Default: `token`, or `authorization: "Bearer …"`. */
  tokenOf?: ParamsReader;
}

/**
 * Creates the `upgrade` listener for a `WebSocketServer({ noServer: true })` that `applyWSSHandler` of tRPC serves. The
 * client sends its token in `connectionParams`. A client of tRPC connects again after each close, and asks for new
 * parameters. A handshake may also have the token in its header.
 *
 * No message of Holdfast is sent. `req.auth` in `createContext` is the live connection. Throws `invalid_option` or
 * `missing_method` at once.
 *
 * @example
 * ```ts
 * import { createServer } from "node:http";
 * import { initTRPC } from "@trpc/server";
 * import { applyWSSHandler } from "@trpc/server/adapters/ws";
 * import type { Connections } from "holdfast/connections";
 * import { protect, type ConnectedRequest } from "holdfast/trpc-ws";
 * import { WebSocketServer } from "ws";
 *
 * declare const connections: Connections;
 *
 * const wss = new WebSocketServer({ noServer: true });
 * const router = initTRPC.create().router({});
 * applyWSSHandler({ wss, router, createContext: ({ req }) => ({ auth: (req as ConnectedRequest).auth.auth }) });
 * createServer().on("upgrade", protect(connections, { scopes: ["orders:read"] }, wss)).listen(8080);
 * ```
 */
export function protect<S extends WsSocket, C = JwtClaims>(
  connections: Connections<C>,
  options: TrpcProtectOptions,
  wss: Server<S>,
  handler?: (socket: S, request: ConnectedRequest<C>) => unknown,
): (request: IncomingMessage, socket: Duplex, head: Buffer) => void {
  const { tokenOf = readConnectionParams, tokenFrom, ...rules } = options;
  if (typeof tokenOf !== "function") throw invalidOption("protect: tokenOf", "a function", tokenOf);
  const firstMessage = (text: string) =>
    readTokenMessage(
      text,
      '"connectionParams"',
      "data",
      ({ method }) => method === "connectionParams",
      tokenOf,
    );
  return protectWs(
    connections,
    {
      ...rules,
      messages: false,
      tokenFrom: { ...tokenFrom, firstMessage: tokenFrom?.firstMessage !== false && firstMessage },
    },
    wss,
    handler,
  );
}
