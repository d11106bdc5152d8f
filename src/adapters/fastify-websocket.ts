import type { IncomingMessage } from "node:http";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { HoldfastError } from "../core/errors.ts";
import { invalidOption, onlyKnown } from "../core/options.ts";
import type { JwtClaims } from "../core/verdict.ts";
import type { Connection, Connections } from "../guard/connections.ts";
import type { Rules } from "../guard/types.ts";
import { degradedCauses, type Upgrading } from "./websocket/degraded-causes.ts";
import { Entrance, type Welcome } from "./websocket/entrance.ts";
import { SocketLine, type Socket } from "./websocket/socket-line.ts";
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
  : Socket;

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
  let wrong: Error | undefined;
  try {
    app.decorate("protectWebSocket", protector(app, options));
  } catch (error) {
    wrong = error as Error; // Thrown, it would be nobody's.
  }
  done(wrong);
}

function protector<C>(
  app: FastifyInstance,
  options: HoldfastWebSocketOptions<C>,
): FastifyInstance["protectWebSocket"] {
  onlyKnown("holdfastWebSocket", options, ["connections", "tokenFrom", "prefix"]);
  const { connections, tokenFrom = {} } = options;
  const { carriers } = new Entrance(connections, { tokenFrom });
  const { websocketServer: wss } = app as FastifyInstance & {
    readonly websocketServer: Upgrading & { readonly clients: Set<Socket> };
  };
  const causes = degradedCauses(wss);
  const welcomes = new WeakMap<IncomingMessage, Welcome<C>>();
  // Before Fastify gets to see the request, and logs it.
  app.server.prependListener("upgrade", (request: IncomingMessage) => void carriers.hide(request));

  return (rules, handler) => {
    onlyKnown("protectWebSocket: rules", rules, ["scopes", "maxRevocationAgeMs", "degraded"]);
    const entrance = new Entrance(connections, { ...rules, tokenFrom });
    if (typeof handler !== "function")
      throw invalidOption("protectWebSocket: handler", "a function", handler);
    return {
      websocket: true,
      async onRequest(request, reply) {
        const { raw } = request;
        // Without an upgrade the route is not found.
        if (!("ws" in request && request.ws)) return undefined;
        const outcome = await entrance.decide(raw, raw.socket);
        if (outcome.status === "refused") {
          const { status, headers, body } = outcome.answer;
          return await reply.code(status).headers(headers).send(body);
        }
        if (outcome.status === "gone") {
          reply.hijack();
          raw.socket.destroy();
          return undefined;
        }
        if (outcome.degraded !== null) causes.set(raw, outcome.degraded);
        welcomes.set(raw, outcome);
        return undefined;
      },
      // What the application throws, now or later, goes where errors of its other routes go.
      async handler(socket: Socket, request: FastifyRequest) {
        const welcome = welcomes.get(request.raw);
        if (welcome === undefined) {
          throw new HoldfastError("invalid_option", "protectWebSocket: its onRequest hook was taken away");
        }
        return await new Promise((resolve) => {
          const opened = async (...connected: unknown[]) =>
            await handler.apply(this, connected as Parameters<ConnectionHandler>);
          const host = { opened: (...connected: unknown[]) => resolve(opened(...connected)) };
          new SocketLine(socket, request, host, wss.clients).enter(entrance, welcome);
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
