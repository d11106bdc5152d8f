import type { Rules } from "../core/rules.ts";
import type { IncomingMessage } from "node:http";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { HoldfastError } from "../core/errors.ts";
import { invalidOption, rejectUnknownOptions } from "../core/options.ts";
import type { JwtClaims } from "../core/verdict.ts";
import type { Connection, Connections } from "../connections/index.ts";
import { declareDegradedCauses, type UpgradeServer } from "./websocket/degraded-header.ts";
import { HandshakeAuthorizer, type Accepted } from "./websocket/handshake.ts";
import { WsTransport, type WsSocket } from "./websocket/ws-transport.ts";
import type { TokenFrom } from "./websocket/token-from.ts";

export type { TokenFrom } from "./websocket/token-from.ts";

/**
 * The claims of `request.auth.auth`. Name your own, and handlers know them:
 *
 *     declare module "holdfast/fastify-websocket" { interface AuthClaims { tenant: string } }
 */
export interface AuthClaims extends JwtClaims {}

/** A request whose connection is open. */
export type ConnectedRequest = Omit<FastifyRequest, "auth"> & { readonly auth: Connection<AuthClaims> };

/** The socket, as far as `@fastify/websocket` declares it. */
export type FastifySocket = FastifyInstance extends { websocketServer: { clients: Set<infer S> } }
  ? S
  : WsSocket;

/** The handler of a route, called when its connection is open. */
export type ConnectionHandler = (
  this: FastifyInstance,
  socket: FastifySocket,
  request: ConnectedRequest,
) => unknown;

/** A whole route: `app.get(path, it)`, or a part of what `app.route` takes. */
export interface ConnectionRoute {
  websocket: true;
  onRequest: (request: FastifyRequest, reply: FastifyReply) => Promise<unknown>;
  /** For `@fastify/websocket`; Fastify's own types know another. */
  handler: (this: FastifyInstance, ...args: any[]) => unknown;
}

declare module "fastify" {
  interface FastifyInstance {
    /** A route for connections whose token is valid under the rules; refusals are replies before the upgrade. */
    protectWebSocket(rules: Rules, handler: ConnectionHandler): ConnectionRoute;
  }
}

export interface HoldfastWebSocketOptions<C = JwtClaims> {
  connections: Connections<C>;
  tokenFrom?: TokenFrom;
}

/**
 * The plugin, after `@fastify/websocket`: gives the instance it is registered on, and all below, `protectWebSocket`.
 *
 *     await app.register(websocket);
 *     await app.register(holdfastWebSocket, { connections });
 *     app.get("/chat", app.protectWebSocket({ scopes: ["chat"] }, (socket, request) => {
 *       socket.on("message", (data) => socket.send(`${request.auth.auth?.subject}: ${data}`));
 *     }));
 */
export function holdfastWebSocket<C = JwtClaims>(
  app: FastifyInstance,
  options: HoldfastWebSocketOptions<C>,
  done: (error?: Error) => void,
): void {
  let failure: Error | undefined;
  try {
    app.decorate("protectWebSocket", createProtect(app, options));
  } catch (error) {
    failure = error as Error; // Thrown, it would be nobody's.
  }
  done(failure);
}

function createProtect<C>(
  app: FastifyInstance,
  options: HoldfastWebSocketOptions<C>,
): FastifyInstance["protectWebSocket"] {
  rejectUnknownOptions("holdfastWebSocket", options, ["connections", "tokenFrom", "prefix"]);
  const { connections, tokenFrom = {} } = options;
  const { tokenExtractor } = new HandshakeAuthorizer(connections, { tokenFrom });
  const { websocketServer: wss } = app as FastifyInstance & {
    readonly websocketServer: UpgradeServer & { readonly clients: Set<WsSocket> };
  };
  const causes = declareDegradedCauses(wss);
  const acceptedHandshakes = new WeakMap<IncomingMessage, Accepted<C>>();
  // Before Fastify gets to see the request, and logs it.
  app.server.prependListener(
    "upgrade",
    (request: IncomingMessage) => void tokenExtractor.stripTokens(request),
  );

  return (rules, handler) => {
    rejectUnknownOptions("protectWebSocket: rules", rules, ["scopes", "maxRevocationAgeMs", "degraded"]);
    const authorizer = new HandshakeAuthorizer(connections, { ...rules, tokenFrom });
    if (typeof handler !== "function")
      throw invalidOption("protectWebSocket: handler", "a function", handler);
    return {
      websocket: true,
      async onRequest(request, reply) {
        const { raw } = request;
        // Without an upgrade the route is not found.
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
      // What the application throws, now or later, goes where errors of its other routes go.
      async handler(socket: WsSocket, request: FastifyRequest) {
        const accepted = acceptedHandshakes.get(request.raw);
        if (accepted === undefined) {
          throw new HoldfastError("invalid_option", "protectWebSocket: its onRequest hook was taken away");
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
// What fastify-plugin does: the decorator belongs to the instance that registers, not to one of its own below it.
Object.assign(holdfastWebSocket, {
  [Symbol.for("skip-override")]: true,
  [Symbol.for("fastify.display-name")]: "holdfast-websocket",
  [Symbol.for("plugin-meta")]: {
    name: "holdfast-websocket",
    fastify: "5.x",
    dependencies: ["@fastify/websocket"],
  },
});
