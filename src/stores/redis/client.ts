import { HoldfastError } from "../../core/errors.ts";
import { computeSlot } from "./cluster-slot.ts";
import type { RedisAddress } from "./address.ts";

/** The common interface of a single-server, cluster and Sentinel client. It reconnects until it is destroyed. */
export interface RedisClient {
  /** Sends a command to the primary that has `key`. Rejects at once while it is not connected. */
  readonly send: (key: string, command: readonly string[]) => Promise<unknown>;
  /** Sends a command on the connection that `send` uses for `key`, without following redirections. */
  readonly sendOnSameConnection: (key: string, command: readonly string[]) => Promise<unknown>;
  readonly sendToPrimaries: (command: readonly string[]) => Promise<unknown[]>;
  /** Returns the name of the server that has `key`. */
  readonly serverOf: (key: string) => string;
  readonly destroy: () => Promise<void>;
}

/** The caller's part of the options. */
export interface RedisClientOptions {
  readonly random: () => number;
  /** Called when a connection failed or another server took over. Acknowledged writes may have been lost. */
  readonly onInterruption: (error: unknown) => void;
}

type RedisPackage = typeof import("redis");

const CONNECT_TIMEOUT_MS = 5000;
/** Commands that may wait for a server that does not answer. */
const MAX_QUEUED_COMMANDS = 10_000;
/** RESP 2: the scripts expect lists where RESP 3 returns maps. */
const RESP = 2 as const;
const RECONNECT_MS = { first: 50, max: 1000 };
/** The package's default of 5 s would come on top of the failover itself. */
const TOPOLOGY_REFRESH_MS = 200;
const SENTINEL_PORT = 26_379;

const NODE_OPTIONS = { RESP, disableOfflineQueue: true, commandsQueueMaxLength: MAX_QUEUED_COMMANDS };
/** The package's command timeout is off: it does not cover commands already sent, and needs a signal for each one. */
const COMMAND_OPTIONS = { RESP, commandOptions: { timeout: 0 } };

interface NodeRedisClient {
  on(event: string, listener: (error: unknown) => void): unknown;
  connect(): Promise<unknown>;
  destroy(): unknown;
}

/** Connects a client of the package; retries until it is connected or the caller's signal aborts. */
type Connect = <C extends NodeRedisClient>(client: C, ...events: readonly string[]) => Promise<C>;

type SocketOptions = ReturnType<typeof socketOptions>;

/** Connects to the address. It retries until it is connected or `signal` aborts. */
export async function connectClient(
  address: RedisAddress,
  { random, onInterruption }: RedisClientOptions,
  signal: AbortSignal,
): Promise<RedisClient> {
  const redis = await importRedis();
  const socket = socketOptions(random);
  const connect: Connect = async (client, ...events) => {
    for (const event of ["error", ...events]) client.on(event, onInterruption);
    await connectOrAbort(client, signal);
    return client;
  };
  if (address.kind === "cluster") return await connectCluster(redis, address.nodes, socket, connect);
  if (address.kind === "sentinel") return await connectSentinel(redis, address, socket, connect);
  const [{ href }] = address.nodes;
  const client = await connect(
    redis.createClient({ ...NODE_OPTIONS, ...COMMAND_OPTIONS, url: href, socket }),
  );
  return createSinglePrimaryClient(client, async (command) => await client.sendCommand([...command]));
}

async function connectCluster(
  { createCluster }: RedisPackage,
  nodes: readonly URL[],
  socket: SocketOptions,
  connect: Connect,
): Promise<RedisClient> {
  const [first] = nodes as readonly [URL];
  const cluster = createCluster({
    rootNodes: nodes.map(({ href }) => ({ ...NODE_OPTIONS, url: href, socket })),
    defaults: { ...NODE_OPTIONS, ...accessOptions(first, socket) },
    ...COMMAND_OPTIONS,
    topologyRefreshOnReconnectionAttemptStrategy: TOPOLOGY_REFRESH_MS,
  });
  const client = await connect(cluster, "node-error", "node-disconnect", "node-reconnecting");
  const primaryOf = (key: string) => (client.slots[computeSlot(key)] as (typeof client.slots)[number]).master;
  return {
    serverOf: (key) => primaryOf(key).address,
    send: async (key, command) => await client.sendCommand(key, false, [...command]),
    async sendOnSameConnection(key, command) {
      // The cluster client would send WAIT to every primary.
      return await (await client.nodeClient(primaryOf(key))).sendCommand([...command]);
    },
    async sendToPrimaries(command) {
      const primaries = await Promise.all(client.masters.map(async (one) => await client.nodeClient(one)));
      return await Promise.all(primaries.map(async (primary) => await primary.sendCommand([...command])));
    },
    destroy: async () => await destroyQuietly(client),
  };
}

async function connectSentinel(
  { createSentinel }: RedisPackage,
  { primary, nodes }: Extract<RedisAddress, { kind: "sentinel" }>,
  socket: SocketOptions,
  connect: Connect,
): Promise<RedisClient> {
  const [first] = nodes as readonly [URL];
  const sentinel = createSentinel({
    name: primary.hostname,
    sentinelRootNodes: nodes.map(({ hostname, port }) => ({
      host: hostname,
      port: Number(port || SENTINEL_PORT),
    })),
    nodeClientOptions: {
      ...NODE_OPTIONS,
      ...accessOptions(primary, socket),
      database: Number(primary.pathname.slice(1)),
    },
    sentinelClientOptions: accessOptions(first, socket),
    ...COMMAND_OPTIONS,
    // All commands share one connection. Without it, a command waits for the answer to the one before.
    reserveClient: true,
    // Without it, an error of a connection is not reported.
    passthroughClientErrorEvents: true,
  });
  const client = await connect(sentinel, "topology-change", "reconnecting");
  return createSinglePrimaryClient(client, async (command) => await client.sendCommand(false, [...command]));
}

function createSinglePrimaryClient(
  client: NodeRedisClient,
  sendCommand: (command: readonly string[]) => Promise<unknown>,
): RedisClient {
  const send = async (_key: string, command: readonly string[]) => await sendCommand(command);
  return {
    serverOf: () => "",
    send,
    sendOnSameConnection: send,
    sendToPrimaries: async (command) => [await sendCommand(command)],
    destroy: async () => await destroyQuietly(client),
  };
}

function socketOptions(random: () => number) {
  return {
    connectTimeout: CONNECT_TIMEOUT_MS,
    reconnectStrategy: (retries: number) =>
      Math.min(RECONNECT_MS.max, RECONNECT_MS.first * 2 ** Math.min(retries, 10)) * (0.5 + random() / 2),
  };
}

/** The credentials and TLS of an address. */
function accessOptions({ username, password, protocol }: URL, socket: SocketOptions) {
  return {
    ...(username !== "" && { username: decodeURIComponent(username) }),
    ...(password !== "" && { password: decodeURIComponent(password) }),
    socket: protocol === "rediss:" ? { ...socket, tls: true as const } : socket,
  };
}

async function importRedis(): Promise<RedisPackage> {
  try {
    return await import("redis");
  } catch (error) {
    const message = "Redis needs the package redis, version 6, which is not installed: npm install redis@6";
    throw new HoldfastError("store_unavailable", message, { cause: error });
  }
}

async function connectOrAbort(client: NodeRedisClient, signal: AbortSignal): Promise<void> {
  const aborted = Promise.withResolvers<never>();
  const abort = () => aborted.reject(signal.reason as Error);
  signal.addEventListener("abort", abort, { once: true });
  try {
    await Promise.race([client.connect(), aborted.promise]);
  } catch (error) {
    await destroyQuietly(client);
    throw error;
  } finally {
    signal.removeEventListener("abort", abort);
  }
}

async function destroyQuietly(client: NodeRedisClient): Promise<void> {
  try {
    await client.destroy();
  } catch {
    // The client throws when it had no connection to close.
  }
}
