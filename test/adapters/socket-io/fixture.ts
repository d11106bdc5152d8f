import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { TestContext } from "node:test";
import { Server } from "socket.io";
import { io as connect, type ManagerOptions, type Socket, type SocketOptions } from "socket.io-client";
import { protect, type AuthData, type ProtectOptions } from "../../../src/adapters/socket-io.ts";
import {
  createConnections,
  type Connections,
  type ConnectionsOptions,
} from "../../../src/connections/index.ts";
import { createGuard, introspection, staticKeys, type Guard } from "../../../src/index.ts";
import { memoryStore } from "../../../src/stores/memory.ts";
import { createProvider, FakeClock, type Provider } from "../../../src/testing/index.ts";

export type Transport = "websocket" | "polling";

export const transports: readonly Transport[] = ["websocket", "polling"];

type Events = Record<string, (...args: unknown[]) => void>;

export type ChatServer = Server<Events, Events, Events, AuthData>;

/** The data of `connect_error` and of `auth.closed`. */
export interface ConnectErrorData {
  readonly error: string;
  readonly code: number;
  readonly retry_after?: number;
}

export interface Fixture {
  readonly clock: FakeClock;
  readonly provider: Provider;
  readonly guard: Guard;
  readonly connections: Connections;
  readonly io: ChatServer;
  readonly url: string;
  /** Revokes all tokens of a subject in the revocation log. */
  readonly revoke: (subject: string) => Promise<void>;
  /** Closes everything. The end of the test calls it too. */
  readonly close: () => Promise<void>;
  /** Creates a client with its own transport. It does not reconnect. */
  readonly client: (
    auth: unknown,
    options?: Partial<ManagerOptions & SocketOptions>,
    namespace?: string,
  ) => Socket;
}

export interface FixtureOptions {
  hasAuthority?: boolean;
  lifetimeMs?: number;
  connections?: Partial<ConnectionsOptions>;
  server?: ConstructorParameters<typeof Server>[1];
}

/** Starts a server of socket.io with a fake clock. Its clients are those of socket.io. */
export async function setUp(t: TestContext, options: FixtureOptions = {}): Promise<Fixture> {
  const clock = new FakeClock();
  const audience = "https://api.example";
  const provider = await createProvider({
    issuer: "https://id.example",
    audience,
    clock,
    lifetimeMs: options.lifetimeMs ?? 600_000,
  });
  const { revocations } = memoryStore({ clock });
  const { fetch, issuer, clientId, clientSecret } = provider;
  const authority = introspection({
    url: provider.url("introspection"),
    timeoutMs: 60_000, // A request that hangs must not time out.
    clientId,
    clientSecret,
    fetch,
  });
  const guard = createGuard({
    issuer,
    audience,
    keys: staticKeys(provider.jwks()),
    revocations,
    clock,
    ...(options.hasAuthority === true && { authority, degraded: "local" }),
  });
  await guard.ready();
  const connections = createConnections({ guard, clock, random: () => 0.5, ...options.connections });
  const http = createServer();
  const io: ChatServer = new Server(http, options.server);
  http.listen(0, "127.0.0.1");
  await once(http, "listening");
  io.of("/open").on("connection", (socket) => socket.on("ping", (done) => (done as () => void)()));
  const url = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
  const clients: Socket[] = [];
  const close = async () => {
    for (const client of clients) client.disconnect();
    await io.close();
    await connections.close();
    await guard.close();
  };
  let closed: Promise<void> | undefined;
  const closeOnce = async () => await (closed ??= close());
  t.after(closeOnce);
  return {
    clock,
    provider,
    guard,
    connections,
    io,
    url,
    revoke: async (id) => {
      const until = clock.now() + 3_600_000;
      await revocations.append({ kind: "subject", id, before: 0, issuer, until });
    },
    close: closeOnce,
    client: (auth, wanted, namespace = "") => {
      const usual = { reconnection: false, forceNew: true, auth: auth as Record<string, unknown> };
      const client = connect(url + namespace, { transports: ["websocket"], ...usual, ...wanted });
      clients.push(client);
      return client;
    },
  };
}

/** Resolves when the client has joined or was refused. `null` when it has joined. */
export async function connectOutcome(client: Socket): Promise<ConnectErrorData | null> {
  return await new Promise((resolve) => {
    client.once("connect", () => resolve(null));
    client.once("connect_error", (error: Error & { data?: ConnectErrorData }) => {
      resolve(error.data ?? { error: error.message, code: 0 });
    });
  });
}

/** Resolves with the first argument of the next event with this name. */
export async function nextEvent<T = unknown>(client: Socket, event: string): Promise<T> {
  return await new Promise((resolve) => client.once(event, resolve));
}

/** Waits until all earlier packets have arrived: an unprotected namespace of the same transport acknowledges a ping. */
export async function settle(client: Socket): Promise<void> {
  const beside = client.io.socket("/open");
  if (!beside.connected) await connectOutcome(beside);
  await beside.emitWithAck("ping");
}

/** Protects the server. Returns the messages of all clients, in order. */
export function echoEvents({ io, connections }: Fixture, options: ProtectOptions): unknown[] {
  const said: unknown[] = [];
  protect(connections, options, io);
  io.on("connection", (socket) => {
    socket.on("say", (what, done) => {
      said.push(what);
      if (typeof done === "function") (done as () => void)();
    });
  });
  return said;
}
