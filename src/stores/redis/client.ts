import { HoldfastError } from "../../core/errors.ts";
import { computeSlot } from "./cluster-slot.ts";
import type { RedisAddress } from "./address.ts";

/** What the three kinds of client have in common, as far as it is used here. It reconnects for as long as it lives. */
export interface RedisClient {
  /** To the primary that has `key`. Rejects at once while there is no connection. */
  readonly send: (key: string, command: readonly string[]) => Promise<unknown>;
  /** The same, on the very connection that a command for `key` was sent on; no redirection. */
  readonly sendOnSameConnection: (key: string, command: readonly string[]) => Promise<unknown>;
  readonly sendToPrimaries: (command: readonly string[]) => Promise<unknown[]>;
  /** Names the server that a command for `key` goes to. */
  readonly serverOf: (key: string) => string;
  readonly destroy: () => Promise<void>;
}

export interface RedisClientOptions {
  readonly random: () => number;
  /** Called when a connection failed or another server took over: writes may have been lost with it. */
  readonly onInterruption: (error: unknown) => void;
}

const CONNECT_TIMEOUT_MS = 5000;
/** Commands that wait for a server that does not answer. */
const MAX_QUEUED_COMMANDS = 10_000;
/** Maps come as lists. */
const RESP = 2 as const;
const RECONNECT_MS = { first: 50, max: 1000 };
/** The client's own 5 s would be on top of the time that the failover itself takes. */
const TOPOLOGY_REFRESH_MS = 200;
const SENTINEL_PORT = 26_379;

interface NodeRedisClient {
  on(event: string, listener: (error: unknown) => void): unknown;
  connect(): Promise<unknown>;
  destroy(): unknown;
}

/** Connects; keeps trying until it did or `signal` aborts. */
export async function connectClient(
  target: RedisAddress,
  { random, onInterruption }: RedisClientOptions,
  signal: AbortSignal,
): Promise<RedisClient> {
  const { createClient, createCluster, createSentinel } = await importRedis();
  const socket = {
    connectTimeout: CONNECT_TIMEOUT_MS,
    reconnectStrategy: (retries: number) =>
      Math.min(RECONNECT_MS.max, RECONNECT_MS.first * 2 ** Math.min(retries, 10)) * (0.5 + random() / 2),
  };
  const access = ({ username, password, protocol }: URL) => ({
    ...(username !== "" && { username: decodeURIComponent(username) }),
    ...(password !== "" && { password: decodeURIComponent(password) }),
    socket: protocol === "rediss:" ? { ...socket, tls: true as const } : socket,
  });
  const node = {
    RESP,
    disableOfflineQueue: true,
    commandsQueueMaxLength: MAX_QUEUED_COMMANDS,
  };
  // The client's own timeout does not cover a command that was sent, and costs a signal for each.
  const common = { RESP, commandOptions: { timeout: 0 } };

  async function opened<C extends NodeRedisClient>(client: C, ...events: readonly string[]): Promise<C> {
    for (const event of ["error", ...events]) client.on(event, onInterruption);
    await connectOrAbort(client, signal);
    return client;
  }

  const [first] = target.nodes as readonly [URL];
  if (target.kind === "cluster") {
    const options = {
      rootNodes: target.nodes.map(({ href }) => ({ ...node, url: href, socket })),
      defaults: { ...node, ...access(first) },
      ...common,
      topologyRefreshOnReconnectionAttemptStrategy: TOPOLOGY_REFRESH_MS,
    };
    const events = ["node-error", "node-disconnect", "node-reconnecting"];
    const client = await opened(createCluster(options), ...events);
    const primaryOf = (key: string) =>
      (client.slots[computeSlot(key)] as (typeof client.slots)[number]).master;
    return {
      serverOf: (key) => primaryOf(key).address,
      send: async (key, command) => await client.sendCommand(key, false, [...command]),
      async sendOnSameConnection(key, command) {
        // By itself the client would send it to every primary.
        return await (await client.nodeClient(primaryOf(key))).sendCommand([...command]);
      },
      async sendToPrimaries(command) {
        const nodes = await Promise.all(client.masters.map(async (one) => await client.nodeClient(one)));
        return await Promise.all(nodes.map(async (one) => await one.sendCommand([...command])));
      },
      destroy: async () => await destroyQuietly(client),
    };
  }
  if (target.kind === "sentinel") {
    const { primary, nodes } = target;
    const options = {
      name: primary.hostname,
      sentinelRootNodes: nodes.map(({ hostname, port }) => ({
        host: hostname,
        port: Number(port || SENTINEL_PORT),
      })),
      nodeClientOptions: { ...node, ...access(primary), database: Number(primary.pathname.slice(1)) },
      sentinelClientOptions: access(first),
      ...common,
      // One connection for all; else a command waits until the one before it was answered.
      reserveClient: true,
      // Else nobody hears of a connection that failed.
      passthroughClientErrorEvents: true,
    };
    const client = await opened(createSentinel(options), "topology-change", "reconnecting");
    return createSinglePrimaryClient(
      client,
      async (command) => await client.sendCommand(false, [...command]),
    );
  }
  const client = await opened(createClient({ ...node, ...common, url: first.href, socket }));
  return createSinglePrimaryClient(client, async (command) => await client.sendCommand([...command]));
}

function createSinglePrimaryClient(
  client: NodeRedisClient,
  send: (command: readonly string[]) => Promise<unknown>,
): RedisClient {
  const toIt = async (_key: string, command: readonly string[]) => await send(command);
  return {
    serverOf: () => "",
    send: toIt,
    sendOnSameConnection: toIt,
    sendToPrimaries: async (command) => [await send(command)],
    destroy: async () => await destroyQuietly(client),
  };
}

async function importRedis(): Promise<typeof import("redis")> {
  try {
    return await import("redis");
  } catch (error) {
    const message = "Redis needs the package redis, version 6, which is not installed: npm install redis@6";
    throw new HoldfastError("store_unavailable", message, { cause: error });
  }
}

async function connectOrAbort(client: NodeRedisClient, signal: AbortSignal): Promise<void> {
  const given = Promise.withResolvers<never>();
  const give = () => given.reject(signal.reason as Error);
  signal.addEventListener("abort", give, { once: true });
  try {
    await Promise.race([client.connect(), given.promise]);
  } catch (error) {
    await destroyQuietly(client);
    throw error;
  } finally {
    signal.removeEventListener("abort", give);
  }
}

async function destroyQuietly(client: NodeRedisClient): Promise<void> {
  try {
    await client.destroy();
  } catch {
    // It had no connection: there is nothing left to end.
  }
}
