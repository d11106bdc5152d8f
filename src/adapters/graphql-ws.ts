import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import type { Connections } from "../connections/index.ts";
import { invalidOption } from "../core/options.ts";
import type { JwtClaims } from "../core/verdict.ts";
import { readConnectionParams, readTokenMessage, type ParamsReader } from "./websocket/connection-params.ts";
import { graphqlCloseCode } from "./websocket/message-settings.ts";
import type { WsSocket } from "./websocket/ws-transport.ts";
import { protect as protectWs, type ConnectedRequest, type ProtectOptions, type Server } from "./ws.ts";

export type { ConnectedRequest, Server, SocketClosing, TokenFrom } from "./ws.ts";

/** The rules of an endpoint, and where its clients put their token. */
export interface GraphqlProtectOptions extends Omit<ProtectOptions, "messages"> {
  /**
   * Returns the token in the `connectionParams` of the client, and in the payload of its pings. Default: `authorization:
   * "Bearer …"` or `token`, at the top or in `headers`.
   */
  tokenOf?: ParamsReader;
}

/**
 * Creates the `upgrade` listener for a `WebSocketServer({ noServer: true })` that `useServer` of `graphql-ws` serves. The
 * client sends its token in `connectionParams`, and a newer one in the payload of a `ping`. A handshake may also have the
 * token in its header.
 *
 * No message of Holdfast is sent, and the close codes are those of the protocol. `extra.request.auth` is the live
 * connection. Throws `invalid_option` or `missing_method` at once.
 *
 * @example
 * ```ts
 * import { createServer } from "node:http";
 * import { buildSchema } from "graphql";
 * import { useServer } from "graphql-ws/use/ws";
 * import type { Connections } from "holdfast/connections";
 * import { protect, type ConnectedRequest } from "holdfast/graphql-ws";
 * import { WebSocketServer } from "ws";
 *
 * declare const connections: Connections;
 *
 * const wss = new WebSocketServer({ noServer: true });
 * const schema = buildSchema("type Query { me: String }");
 * const context = ({ extra }: { extra: { request: unknown } }) => {
 *   const { auth } = extra.request as ConnectedRequest;
 *   return { auth: auth.auth };
 * };
 * useServer({ schema, context }, wss);
 * createServer().on("upgrade", protect(connections, { scopes: ["orders:read"] }, wss)).listen(8080);
 * ```
 */
export function protect<S extends WsSocket, C = JwtClaims>(
  connections: Connections<C>,
  options: GraphqlProtectOptions,
  wss: Server<S>,
  handler?: (socket: S, request: ConnectedRequest<C>) => unknown,
): (request: IncomingMessage, socket: Duplex, head: Buffer) => void {
  const { tokenOf = readConnectionParams, tokenFrom, closeCode = graphqlCloseCode, ...rules } = options;
  if (typeof tokenOf !== "function") throw invalidOption("protect: tokenOf", "a function", tokenOf);
  const readerFor = (type: string) => (text: string) =>
    readTokenMessage(text, `"${type}"`, "payload", (message) => message["type"] === type, tokenOf);
  const own: ProtectOptions = {
    ...rules,
    messages: false,
    closeCode,
    tokenFrom: {
      ...tokenFrom,
      firstMessage: tokenFrom?.firstMessage !== false && readerFor("connection_init"),
      laterMessages: readerFor("ping"),
    },
  };
  return protectWs(connections, own, wss, handler);
}
