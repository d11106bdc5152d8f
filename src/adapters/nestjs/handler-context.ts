import type { IncomingMessage, ServerResponse } from "node:http";
import type { ExecutionContext } from "@nestjs/common";
import type { Connection } from "../../connections/index.ts";
import { HoldfastError } from "../../core/errors.ts";

/** A request of Express or Fastify. Fastify wraps the request of Node. */
export type NestRequest = IncomingMessage & { raw?: IncomingMessage; auth?: unknown };

/** A handler runs for a request, or for a message on a live connection. */
export type HandlerContext =
  | { readonly kind: "request"; readonly request: NestRequest; readonly response: ServerResponse | null }
  | { readonly kind: "connection"; readonly connection: Connection }
  /** The socket of the message has no live connection, so nothing checked its token. */
  | { readonly kind: "unprotected" };

interface GraphqlContext {
  readonly req?: unknown;
  readonly request?: unknown;
  readonly res?: unknown;
  readonly reply?: unknown;
  /** `graphql-ws` adds it for a subscription. */
  readonly extra?: { readonly request?: unknown };
}

/** Finds the request or the connection of a handler. Throws `invalid_option` for a context of another type. */
export function readHandlerContext(context: ExecutionContext): HandlerContext {
  const type: string = context.getType();
  switch (type) {
    case "http": {
      const http = context.switchToHttp();
      return requestContext(http.getRequest(), http.getResponse());
    }
    case "graphql": {
      // The arguments of a resolver are root, args, context and info.
      const graphql = Object(context.getArgByIndex(2)) as GraphqlContext;
      const request = graphql.req ?? graphql.request ?? graphql.extra?.request;
      return requestContext(request, graphql.res ?? graphql.reply);
    }
    case "ws":
      return socketContext(context.switchToWs().getClient());
    default:
      throw new HoldfastError(
        "invalid_option",
        `protect needs a handler for http, graphql or ws; got a handler of type ${type}`,
      );
  }
}

function requestContext(request: unknown, response: unknown): HandlerContext {
  const { auth, headers, extra } = Object(request) as {
    auth?: unknown;
    headers?: unknown;
    extra?: { request?: unknown };
  };
  if (isConnection(auth)) return { kind: "connection", connection: auth };
  // Nest passes the whole context of `graphql-ws` as the request of a subscription.
  if (headers === undefined && extra?.request !== undefined) return requestContext(extra.request, response);
  if (typeof headers !== "object" || headers === null) {
    throw new HoldfastError(
      "invalid_option",
      "protect: the context of GraphQL must have the request as req; return { req, res } from its context function",
    );
  }
  const { raw = response } = Object(response) as { raw?: unknown };
  const isResponse = typeof (Object(raw) as Partial<ServerResponse>).setHeader === "function";
  return {
    kind: "request",
    request: request as NestRequest,
    response: isResponse ? (raw as ServerResponse) : null,
  };
}

/** `holdfast/socket-io` keeps the connection in `data`. An application with another library may keep it as `auth`. */
function socketContext(client: unknown): HandlerContext {
  const { data, auth } = Object(client) as { data?: { auth?: unknown }; auth?: unknown };
  const connection = data?.auth ?? auth;
  return isConnection(connection) ? { kind: "connection", connection } : { kind: "unprotected" };
}

function isConnection(value: unknown): value is Connection {
  return typeof (Object(value) as Partial<Connection>).current === "function";
}
