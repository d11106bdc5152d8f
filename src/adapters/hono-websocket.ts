import type { IncomingMessage } from "node:http";
import type { Context, MiddlewareHandler } from "hono";
import type { UpgradeWebSocket, WSEvents } from "hono/ws";
import { HoldfastError } from "../core/errors.ts";
import { invalidOption, requireMethods } from "../core/options.ts";
import type { JwtClaims } from "../core/verdict.ts";
import type { Connection, Connections } from "../connections/index.ts";
import { degradedHeader } from "./http/bearer-response.ts";
import { TokenExtractor } from "./websocket/token-extractor.ts";
import { HandshakeAuthorizer, type ProtectOptions } from "./websocket/handshake.ts";
import { WsTransport, type ConnectionHost, type WsSocket } from "./websocket/ws-transport.ts";
import type { TokenFrom } from "./websocket/token-from.ts";

export type { ProtectOptions } from "./websocket/handshake.ts";
export type { MessageReader, TokenFrom } from "./websocket/token-from.ts";
export type { SocketClosing } from "./websocket/message-settings.ts";

/** The environment that `@hono/node-server` passes to the application. */
interface NodeBindings {
  readonly incoming?: IncomingMessage;
  readonly wss?: { readonly clients?: Set<WsSocket> };
}

/** The function `app.fetch`, as `serve` of `@hono/node-server` calls it. */
export type Fetch = (request: Request, env: object) => Response | Promise<Response>;

/**
 * Creates a handler that upgrades a handshake with a valid token under the rules. Other requests get 400, 401, 403, 426,
 * 429 or 503. `upgradeWebSocket` is that of `@hono/node-server`.
 *
 * `createEvents` is called when the connection is open. Its events get messages while the token, or a newer one from the
 * client, is valid. Throws `invalid_option` or `missing_method` at once.
 *
 * @example
 * ```ts
 * import { upgradeWebSocket } from "@hono/node-server";
 * import { Hono } from "hono";
 * import type { Connections } from "holdfast/connections";
 * import { protect } from "holdfast/hono-websocket";
 *
 * declare const connections: Connections;
 *
 * const app = new Hono();
 * const chat = protect(connections, { scopes: ["chat"] }, upgradeWebSocket, (_c, auth) => ({
 *   onMessage: (event, ws) => ws.send(`${auth.auth?.subject}: ${String(event.data)}`),
 * }));
 * app.get("/chat", chat);
 * ```
 */
export function protect<C = JwtClaims, S = unknown>(
  connections: Connections<C>,
  options: ProtectOptions,
  upgradeWebSocket: UpgradeWebSocket<S>,
  createEvents: (c: Context, auth: Connection<C>) => WSEvents<S>,
): MiddlewareHandler {
  const authorizer = new HandshakeAuthorizer(connections, options);
  for (const [name, value] of Object.entries({ upgradeWebSocket, createEvents })) {
    if (typeof value !== "function") throw invalidOption(`protect: ${name}`, "a function", value);
  }
  return async (c) => {
    if (!isWebSocketUpgrade(c.req.raw)) {
      const body = {
        error: "upgrade_required",
        error_description: "This is for WebSockets.",
      };
      return c.json(body, 426, { Upgrade: "websocket", Connection: "Upgrade" });
    }
    const { incoming, wss } = (c.env ?? {}) as NodeBindings;
    if (incoming === undefined) {
      throw new HoldfastError("invalid_option", "protect needs the server of @hono/node-server");
    }
    c.req.raw = withoutTokens(c.req.raw, incoming, authorizer.tokenExtractor, true);
    const outcome = await authorizer.decide(incoming, incoming.socket);
    if (outcome.status === "aborted") {
      incoming.socket.destroy();
      return c.body(null, 503);
    }
    if (outcome.status === "refused") {
      const { status, headers, body } = outcome.response;
      // The server ends only its own side, and would wait for the client to end the other side.
      incoming.socket.once("finish", () => incoming.socket.destroy());
      return c.json(body, status, headers);
    }
    const events = deferEvents<C, S>(
      (auth) => createEvents(c, auth),
      (host, socket) => new WsTransport(socket, {}, host, wss?.clients).connect(authorizer, outcome),
    );
    const response = await upgradeWebSocket(c, events);
    if (outcome.degraded !== null) response.headers.set(degradedHeader, outcome.degraded);
    return response;
  };
}

/** Returns events that are forwarded to those of the application from the time when the connection is open. */
function deferEvents<C, S>(
  createEvents: (auth: Connection<C>) => WSEvents<S>,
  enter: (host: ConnectionHost<C, WsSocket, object>, socket: WsSocket) => void,
): WSEvents<S> {
  let events: WSEvents<S> = {};
  return {
    onOpen(event, ws) {
      requireMethods("protect", "the socket", ws.raw, ["emit", "listenerCount", "pause", "resume"]);
      const opened = (_: WsSocket, { auth }: { readonly auth: Connection<C> }) => {
        try {
          events = createEvents(auth);
          events.onOpen?.(event, ws);
        } catch (error) {
          // Hono logs such an error, but it does not see one that is thrown later than its own call.
          console.error(error);
        }
      };
      enter({ opened }, ws.raw as WsSocket);
    },
    onMessage: (event, ws) => events.onMessage?.(event, ws),
    onClose: (event, ws) => events.onClose?.(event, ws),
    onError: (event, ws) => events.onError?.(event, ws),
  };
}

/**
 * Wraps `app.fetch` so that no middleware sees the tokens in URLs and subprotocols. `protect` requires it where
 * `tokenFrom.query` is enabled. Throws `invalid_option` at once.
 *
 * @example
 * ```ts
 * import { Hono } from "hono";
 * import { hideTokens } from "holdfast/hono-websocket";
 *
 * const app = new Hono();
 * // The argument `fetch` of `serve` from `@hono/node-server`.
 * export const fetch = hideTokens(app.fetch, { query: { name: "ticket" } });
 * ```
 */
export function hideTokens(fetch: Fetch, tokenFrom?: TokenFrom): Fetch {
  const tokenExtractor = new TokenExtractor(tokenFrom);
  return async (request, env) => {
    const { incoming } = env as NodeBindings;
    if (incoming === undefined || !isWebSocketUpgrade(request)) return await fetch(request, env);
    return await fetch(withoutTokens(request, incoming, tokenExtractor, false), env);
  };
}

function isWebSocketUpgrade(request: Request): boolean {
  return request.headers.get("upgrade")?.toLowerCase() === "websocket";
}

/** Returns the request without its tokens. `isLate` says that middleware may have seen the tokens already. */
function withoutTokens(
  request: Request,
  incoming: IncomingMessage,
  tokenExtractor: TokenExtractor,
  isLate: boolean,
): Request {
  const { url: before } = incoming;
  const { query } = tokenExtractor.stripTokens(incoming);
  if (isLate && tokenExtractor.query && incoming.url !== before) {
    throw new HoldfastError(
      "invalid_option",
      "tokenFrom.query needs hideTokens around the application's fetch",
    );
  }
  const url = new URL(request.url);
  if (query.length > 0) url.search = /\?.*/.exec(incoming.url ?? "")?.[0] ?? "";
  const headers = new Headers(request.headers);
  const offered = incoming.headers["sec-websocket-protocol"];
  if (offered === undefined) headers.delete("sec-websocket-protocol");
  else headers.set("sec-websocket-protocol", offered);
  return new Request(url, { headers });
}
