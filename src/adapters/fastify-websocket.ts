import type { IncomingMessage } from "node:http";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { HoldfastError } from "../core/errors.ts";
import {
  invalidOption,
  option,
  readOptions,
  rejectUnknownOptions,
  type OptionTable,
} from "../core/options.ts";
import { ruleNames } from "../core/rules.ts";
import type { JwtClaims } from "../core/verdict.ts";
import type { Connection, Connections } from "../connections/index.ts";
import { markAsPlugin, setUpPlugin } from "./fastify/plugin.ts";
import { declareDegradedCauses, type UpgradeServer } from "./websocket/degraded-header.ts";
import { HandshakeAuthorizer, type Accepted, type ProtectOptions } from "./websocket/handshake.ts";
import { messageOptionNames } from "./websocket/message-settings.ts";
import { WsTransport, type WsSocket } from "./websocket/ws-transport.ts";
import type { TokenFrom } from "./websocket/token-from.ts";

export type { MessageReader, TokenFrom } from "./websocket/token-from.ts";
export type { SocketClosing } from "./websocket/message-settings.ts";

/**
 * The claims of `request.auth.auth`. Add the claims of your tokens, and handlers see them with their types.
 *
 * @example
 * ```ts
 * import type {} from "holdfast/fastify-websocket";
 *
 * declare module "holdfast/fastify-websocket" {
 *   interface AuthClaims {
 *     tenant: string;
 *   }
 * }
 * ```
 */
export interface AuthClaims extends JwtClaims {}

/** The request of an open connection. `auth` is the live connection. */
export type ConnectedRequest = Omit<FastifyRequest, "auth"> & { readonly auth: Connection<AuthClaims> };

/** The socket, with the type that `@fastify/websocket` declares. */
export type FastifySocket = FastifyInstance extends { websocketServer: { clients: Set<infer S> } }
  ? S
  : WsSocket;

/** The handler of a route. It is called when the connection is open. */
export type ConnectionHandler = (
  this: FastifyInstance,
  socket: FastifySocket,
  request: ConnectedRequest,
) => unknown;

/** A route, for `app.get(path, route)`, or to be spread into the argument of `app.route`. */
export interface ConnectionRoute {
  websocket: true;
  onRequest: (request: FastifyRequest, reply: FastifyReply) => Promise<unknown>;
  /** The handler for `@fastify/websocket`. Its arguments differ from those of Fastify's own handlers. */
  handler: (this: FastifyInstance, ...args: any[]) => unknown;
}

/** The rules of a route, and how messages about the token fit into its protocol. */
export type ConnectionRules = Omit<ProtectOptions, "tokenFrom">;

declare module "fastify" {
  interface FastifyInstance {
    /** Creates a route for connections with a valid token. A refusal is a reply before the upgrade. */
    protectWebSocket(rules: ConnectionRules, handler: ConnectionHandler): ConnectionRoute;
  }
}

/** The options of the plugin `holdfastWebSocket`. */
export interface HoldfastWebSocketOptions<C = JwtClaims> {
  /** The live connections that the routes use. */
  connections: Connections<C>;
  /** The ways in which a client may send its token. Default: the `Authorization` header and the subprotocol. */
  tokenFrom?: TokenFrom;
}

/** The options of the plugin. Fastify reads `prefix` itself. */
const pluginOptionTable: OptionTable<{
  connections: unknown;
  tokenFrom: TokenFrom;
  prefix: unknown;
}> = {
  connections: option((_, connections) => connections),
  tokenFrom: option((_, tokenFrom = {}) => tokenFrom as TokenFrom),
  prefix: option((_, prefix) => prefix),
};

/**
 * The Fastify plugin for WebSockets. Register it after `@fastify/websocket`. It decorates the instance that registers it
 * with `protectWebSocket`. Registration fails with `invalid_option` or `missing_method` for wrong options.
 *
 * @example
 * ```ts
 * import websocket from "@fastify/websocket";
 * import { fastify } from "fastify";
 * import type { Connections } from "holdfast/connections";
 * import { holdfastWebSocket } from "holdfast/fastify-websocket";
 *
 * declare const connections: Connections;
 *
 * const app = fastify();
 * await app.register(websocket);
 * await app.register(holdfastWebSocket, { connections });
 * const chat = app.protectWebSocket({ scopes: ["chat"] }, (socket, request) => {
 *   socket.on("message", (data) => socket.send(`${request.auth.auth?.subject}: ${String(data)}`));
 * });
 * app.get("/chat", chat);
 * ```
 */
export function holdfastWebSocket<C = JwtClaims>(
  app: FastifyInstance,
  options: HoldfastWebSocketOptions<C>,
  done: (error?: Error) => void,
): void {
  setUpPlugin(() => {
    app.decorate("protectWebSocket", createProtect(app, options));
  }, done);
}
markAsPlugin(holdfastWebSocket, "holdfast-websocket", ["@fastify/websocket"]);

function createProtect<C>(
  app: FastifyInstance,
  options: HoldfastWebSocketOptions<C>,
): FastifyInstance["protectWebSocket"] {
  const { tokenFrom } = readOptions("holdfastWebSocket", options, pluginOptionTable);
  const { connections } = options;
  const { tokenExtractor } = new HandshakeAuthorizer(connections, { tokenFrom });
  const { websocketServer: wss } = app as FastifyInstance & {
    readonly websocketServer: UpgradeServer & { readonly clients: Set<WsSocket> };
  };
  const causes = declareDegradedCauses(wss);
  const acceptedHandshakes = new WeakMap<IncomingMessage, Accepted<C>>();
  // Tokens are stripped before Fastify sees the request and logs it.
  app.server.prependListener(
    "upgrade",
    (request: IncomingMessage) => void tokenExtractor.stripTokens(request),
  );

  return (rules, handler) => {
    rejectUnknownOptions("protectWebSocket: rules", rules, [...ruleNames, ...messageOptionNames]);
    const authorizer = new HandshakeAuthorizer(connections, { ...rules, tokenFrom });
    if (typeof handler !== "function")
      throw invalidOption("protectWebSocket: handler", "a function", handler);
    return {
      websocket: true,
      async onRequest(request, reply) {
        const { raw } = request;
        // A request without an upgrade gets 404 from `@fastify/websocket`.
        if (!("ws" in request && request.ws)) return undefined;
        const outcome = await authorizer.decide(raw, raw.socket);
        if (outcome.status === "refused") {
          const { status, headers, body } = outcome.response;
          return await reply.code(status).headers(headers).send(body);
        }
        if (outcome.status === "aborted") {
          reply.hijack();
          raw.socket.destroy();
          return undefined;
        }
        if (outcome.degraded !== null) causes.set(raw, outcome.degraded);
        acceptedHandshakes.set(raw, outcome);
        return undefined;
      },
      // An error of the application rejects this promise, so that the error handler of `@fastify/websocket` gets it.
      async handler(socket: WsSocket, request: FastifyRequest) {
        const accepted = acceptedHandshakes.get(request.raw);
        if (accepted === undefined) {
          throw new HoldfastError(
            "invalid_option",
            "protectWebSocket: the route must keep its onRequest hook",
          );
        }
        return await new Promise((resolve) => {
          const opened = async (...connected: unknown[]) =>
            await handler.apply(this, connected as Parameters<ConnectionHandler>);
          const host = { opened: (...connected: unknown[]) => resolve(opened(...connected)) };
          new WsTransport(socket, request, host, wss.clients).connect(authorizer, accepted);
        });
      },
    };
  };
}
