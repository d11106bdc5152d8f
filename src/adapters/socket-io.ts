import { copyRules, type Rules } from "../core/rules.ts";
import { HoldfastError } from "../core/errors.ts";
import { rejectUnknownOptions, requireMethods } from "../core/options.ts";
import type { JwtClaims } from "../core/verdict.ts";
import type { Closing, Connection, Connections, Refusal } from "../connections/types.ts";
import type { Admission } from "../guard/types.ts";
import { extractHandshakeToken, type ConnectingSocket } from "./socket-io/handshake.ts";
import { attachConnection, type Attached } from "./socket-io/transport.ts";
import { TokenExtractor } from "./websocket/token-extractor.ts";
import type { TokenFrom } from "./websocket/token-from.ts";

/** What `socket.data` holds from `connection` on: `new Server<ToServer, ToClient, Between, AuthData>(…)`. */
export interface AuthData<C = JwtClaims> {
  auth: Connection<C>;
}

export interface ProtectOptions extends Rules {
  /** Ways besides `auth: { token }`, which is always read. Default: `Authorization` only. */
  tokenFrom?: Pick<TokenFrom, "authorization" | "cookie" | "query">;
}

/** What is asked of a server or a namespace of socket.io. */
export interface Protectable {
  use(middleware: (socket: any, next: (error?: Error) => void) => void): unknown;
  on(event: "connect", listener: (socket: any) => void): unknown;
}

type ProtectedSocket = ConnectingSocket & Attached & { conn: EngineConnection };

interface EngineConnection {
  readonly readyState: string;
  once(event: "close", listener: () => void): unknown;
  off(event: "close", listener: () => void): unknown;
}

const protectedKey = Symbol("holdfast.protected");

/**
 * Lets sockets into a namespace (of a server, `/`) when their token is valid under `options`, and for as long as it is.
 * Others get `connect_error` with `data: { error, code, retry_after }`. `socket.data.auth` is the live connection. Call it
 * before the namespace gets other middleware and listeners. Throws `invalid_option` or `missing_method`.
 *
 *     protect(connections, { scopes: ["chat"] }, io);
 *     io.on("connection", (socket) => socket.emit("hello", socket.data.auth.auth?.subject));
 */
export function protect<C = JwtClaims>(
  connections: Connections<C>,
  options: ProtectOptions,
  io: Protectable,
): void {
  requireMethods("protect", "connections", connections, ["admit", "open", "closing"]);
  const { tokenFrom = {}, ...rules } = options;
  rejectUnknownOptions("protect: tokenFrom", tokenFrom, ["authorization", "cookie", "query"]);
  // A socket joins with a first message, and that may bring the token.
  const tokenExtractor = new TokenExtractor({ ...tokenFrom, subprotocol: false, firstMessage: true });
  const ownRules = copyRules("protect", rules);
  const namespace = claimNamespace(io);
  const admitted = new WeakMap<object, Admission<C>>();

  const admit = async (socket: ProtectedSocket): Promise<Error | undefined> => {
    const clientGone = new AbortController();
    const abort = () => clientGone.abort();
    if (socket.conn.readyState !== "open") abort();
    socket.conn.once("close", abort);
    try {
      const extracted = extractHandshakeToken(socket, tokenExtractor);
      if (extracted.status === "none") return createConnectError(connections.closing(null));
      if (extracted.status !== "token") return createConnectError(connections.closing(malformedRefusal));
      const outcome = await connections.admit(extracted.token, { ...ownRules, signal: clientGone.signal });
      if (outcome.status !== "admitted") return createConnectError(connections.closing(outcome));
      admitted.set(socket, outcome);
      return undefined;
    } catch {
      // Nobody is there to read it, or the guard failed: either way nothing was found out.
      return createConnectError(
        connections.closing({ status: "unavailable", cause: "closed", retryAfterMs: 1000 }),
      );
    } finally {
      socket.conn.off("close", abort);
    }
  };
  const middleware = async (socket: ProtectedSocket, next: (error?: Error) => void) =>
    next(await admit(socket));
  namespace.use((socket: ProtectedSocket, next) => void middleware(socket, next));
  namespace.on("connect", (socket: ProtectedSocket) => {
    const admission = admitted.get(socket);
    if (admission === undefined) socket.disconnect();
    else attachConnection(socket, connections, admission, ownRules);
  });
}

/** A request that is wrong by itself, or comes from another's page. */
const malformedRefusal: Refusal<never> = { status: "invalid", reason: "malformed" };

/** What socket.io tells the client. */
function createConnectError({ error, code, retryAfterMs }: Closing): Error {
  const retry = retryAfterMs === null ? {} : { retry_after: Math.round(retryAfterMs) / 1000 };
  return Object.assign(new Error(error), { data: { error, code, ...retry } });
}

type Namespace = Protectable & {
  server?: unknown;
  of?(name: string): Namespace;
  opts?: { connectionStateRecovery?: unknown };
  /** What a pattern has made. */
  children?: ReadonlySet<unknown>;
  [protectedKey]?: true;
};

/** The namespace meant. Refuses what would let somebody pass by. */
function claimNamespace(io: Protectable): Namespace {
  requireMethods("protect", "io", io, ["use", "on"]);
  const given = io as Namespace;
  const namespace = given.of?.("/") ?? given;
  const server = (namespace.server ?? given) as Namespace;
  if (server.opts?.connectionStateRecovery) {
    const why = "socket.io sends a client what it missed before it can be asked for a token";
    throw new HoldfastError("invalid_option", `protect: io must be without connectionStateRecovery: ${why}`);
  }
  if (namespace.children !== undefined && namespace.children.size > 0) {
    const why = "it has made some already, and does not cover these";
    throw new HoldfastError("invalid_option", `protect: io must be a pattern without namespaces: ${why}`);
  }
  if (namespace[protectedKey]) throw new HoldfastError("invalid_option", "protect: io is protected already");
  Object.defineProperty(namespace, protectedKey, { value: true });
  return namespace;
}
