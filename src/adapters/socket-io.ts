import { HoldfastError } from "../core/errors.ts";
import { rejectUnknownOptions, requireMethods } from "../core/options.ts";
import { copyRules, type Rules } from "../core/rules.ts";
import { unavailableVerdict, type JwtClaims } from "../core/verdict.ts";
import type { Closing, Connection, Connections, Refusal } from "../connections/types.ts";
import type { Admission } from "../guard/types.ts";
import { withClientSignal, type ClientEvents } from "./http/client-signal.ts";
import { limitSilentTransports } from "./socket-io/silent-transports.ts";
import { extractHandshakeToken, type ConnectingSocket } from "./socket-io/handshake.ts";
import { attachConnection, type Attached } from "./socket-io/transport.ts";
import { TokenExtractor } from "./websocket/token-extractor.ts";
import type { TokenFrom } from "./websocket/token-from.ts";

/** The type of `socket.data` in a protected namespace. It is the fourth type parameter of `Server`. */
export interface AuthData<C = JwtClaims> {
  /** The live connection. It is set before the event `connection`. */
  auth: Connection<C>;
}

/** The rules of a namespace, and the ways in which its clients may send their token. */
export interface ProtectOptions extends Rules {
  /** Further ways, in addition to `auth: { token }`, which is always enabled. Default: the `Authorization` header. */
  tokenFrom?: Pick<TokenFrom, "authorization" | "cookie" | "query">;
}

/** The part of a server or a namespace of socket.io that `protect` uses. */
export interface Protectable {
  use(middleware: (socket: any, next: (error?: Error) => void) => void): unknown;
  on(event: "connect", listener: (socket: any) => void): unknown;
}

type ProtectedSocket = ConnectingSocket & Attached & { conn: EngineConnection };

interface EngineConnection extends ClientEvents<"close"> {
  readonly readyState: string;
}

const protectedKey = Symbol("holdfast.protected");

/**
 * Protects a namespace of socket.io. For a server it protects the namespace `/`. A socket joins while its token is valid
 * under the rules, and it is disconnected when the token is no longer valid. Other sockets get `connect_error` with
 * `data: { error, code, retry_after }`.
 *
 * Call it before the namespace gets other middleware and listeners. Throws `invalid_option` or `missing_method` at once.
 *
 * @example
 * ```ts
 * import type { Connections } from "holdfast/connections";
 * import { protect, type AuthData } from "holdfast/socket-io";
 * import { Server, type DefaultEventsMap } from "socket.io";
 *
 * declare const connections: Connections;
 *
 * const io = new Server<DefaultEventsMap, DefaultEventsMap, DefaultEventsMap, AuthData>(8080);
 * protect(connections, { scopes: ["chat"] }, io);
 * io.on("connection", (socket) => socket.emit("hello", socket.data.auth.auth?.subject));
 * ```
 */
export function protect<C = JwtClaims>(
  connections: Connections<C>,
  options: ProtectOptions,
  io: Protectable,
): void {
  requireMethods("protect", "connections", connections, ["admit", "open", "closing"]);
  const { tokenFrom = {}, ...rules } = options;
  rejectUnknownOptions("protect: tokenFrom", tokenFrom, ["authorization", "cookie", "query"]);
  // A missing token is not refused here, because `auth: { token }` may bring it.
  const tokenExtractor = new TokenExtractor({ ...tokenFrom, subprotocol: false, firstMessage: true });
  const ownRules = copyRules("protect", rules);
  const namespace = claimNamespace(io);
  const admitted = new WeakMap<object, Admission<C>>();
  limitSilentTransports(namespace.server ?? namespace, connections);

  const admit = async (socket: ProtectedSocket, signal: AbortSignal): Promise<Error | undefined> => {
    try {
      const extracted = extractHandshakeToken(socket, tokenExtractor);
      if (extracted.status === "none") return createConnectError(connections.closing(null));
      if (extracted.status !== "token") return createConnectError(connections.closing(malformedRefusal));
      const outcome = await connections.admit(extracted.token, { ...ownRules, signal });
      if (outcome.status !== "admitted") return createConnectError(connections.closing(outcome));
      admitted.set(socket, outcome);
      return undefined;
    } catch {
      // The client has gone away, or the connections failed. Both leave the decision on the token to the guard.
      return createConnectError(connections.closing(unavailableVerdict("closed")));
    }
  };
  const middleware = async (socket: ProtectedSocket, next: (error?: Error) => void) => {
    const isGone = socket.conn.readyState !== "open";
    next(
      await withClientSignal(socket.conn, ["close"], isGone, async (signal) => await admit(socket, signal)),
    );
  };
  namespace.use((socket: ProtectedSocket, next) => void middleware(socket, next));
  namespace.on("connect", (socket: ProtectedSocket) => {
    const admission = admitted.get(socket);
    if (admission === undefined) socket.disconnect();
    else attachConnection(socket, connections, admission, ownRules);
  });
}

/** The refusal of a malformed request, and of a cookie from a page of another origin. */
const malformedRefusal: Refusal<never> = { status: "invalid", reason: "malformed" };

/** Creates the error that socket.io sends to the client as `connect_error`. */
function createConnectError({ error, code, retryAfterMs }: Closing): Error {
  const retry = retryAfterMs === null ? {} : { retry_after: Math.round(retryAfterMs) / 1000 };
  return Object.assign(new Error(error), { data: { error, code, ...retry } });
}

type Namespace = Protectable & {
  server?: unknown;
  of?(name: string): Namespace;
  opts?: { connectionStateRecovery?: unknown };
  /** The namespaces that a pattern has made. */
  children?: ReadonlySet<unknown>;
  [protectedKey]?: true;
};

/** Returns the namespace, and marks it as protected. Throws when a client could bypass the protection. */
function claimNamespace(io: Protectable): Namespace {
  requireMethods("protect", "io", io, ["use", "on"]);
  const given = io as Namespace;
  const namespace = given.of?.("/") ?? given;
  const server = (namespace.server ?? given) as Namespace;
  if (server.opts?.connectionStateRecovery) {
    const why = "it sends missed packets to a client before the token is checked";
    throw new HoldfastError(
      "invalid_option",
      `protect: io must not use connectionStateRecovery, because ${why}`,
    );
  }
  if (namespace.children !== undefined && namespace.children.size > 0) {
    const why = "those that it has made already are not covered";
    throw new HoldfastError(
      "invalid_option",
      `protect: io must be a pattern without namespaces, because ${why}`,
    );
  }
  if (namespace[protectedKey])
    throw new HoldfastError("invalid_option", "protect: io must not be protected already");
  Object.defineProperty(namespace, protectedKey, { value: true });
  return namespace;
}
