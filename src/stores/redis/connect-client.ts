import { HoldfastError } from "../../core/errors.ts";
import type { RedisAddress } from "./address.ts";
import {
  destroyQuietly,
  type Connect,
  type NodeRedisClient,
  type RedisClient,
  type RedisClientOptions,
} from "./client.ts";
import { connectCluster } from "./cluster-client.ts";
import { COMMAND_OPTIONS, hostOf, nodeOptions, sentinelOptions, type NodeSettings } from "./node-options.ts";

type RedisPackage = typeof import("redis");

const SENTINEL_PORT = 26_379;

/** Connects to the address. It retries until it is connected or `signal` aborts. */
export async function connectClient(
  redis: RedisPackage,
  address: RedisAddress,
  { onInterruption, ...options }: RedisClientOptions,
  signal: AbortSignal,
): Promise<RedisClient> {
  const settings = { ...options, signal };
  let interruptions = 0;
  const connect: Connect = async (client, ...events) => {
    for (const event of ["error", ...events]) {
      client.on(event, (error) => {
        interruptions++;
        onInterruption(error);
      });
    }
    await connectOrAbort(client, signal);
    return client;
  };
  if (address.kind === "cluster")
    return await connectCluster(redis, address.nodes, { ...settings, onInterruption }, connect);
  const countInterruptions = () => interruptions;
  if (address.kind === "sentinel") {
    const sentinel = await connectSentinel(redis, address, settings, connect);
    return createSinglePrimaryClient(
      sentinel,
      countInterruptions,
      async (command) => await sentinel.sendCommand(false, [...command]),
    );
  }
  const [url] = address.nodes;
  const node = nodeOptions(url, settings);
  const client = await connect(
    redis.createClient({
      ...COMMAND_OPTIONS,
      ...node,
      database: databaseOf(url),
      socket: { ...node.socket, ...hostOf(url) },
    }),
  );
  return createSinglePrimaryClient(
    client,
    countInterruptions,
    async (command) => await client.sendCommand([...command]),
  );
}

async function connectSentinel(
  { createSentinel }: RedisPackage,
  { primary, nodes }: Extract<RedisAddress, { kind: "sentinel" }>,
  settings: NodeSettings,
  connect: Connect,
) {
  const { nodeAddressMap } = settings;
  const [first] = nodes as readonly [URL];
  const sentinel = createSentinel({
    name: primary.hostname,
    sentinelRootNodes: nodes.map((node) => hostOf(node, SENTINEL_PORT)),
    nodeClientOptions: { ...nodeOptions(primary, settings), database: databaseOf(primary) },
    sentinelClientOptions: sentinelOptions(first, settings),
    ...COMMAND_OPTIONS,
    ...(nodeAddressMap !== undefined && { nodeAddressMap: { ...nodeAddressMap } }),
    // All commands share one connection. Without it, a command waits for the answer to the one before.
    reserveClient: true,
    // Without it, an error of a connection is not reported.
    passthroughClientErrorEvents: true,
  });
  return await connect(sentinel, "topology-change", "reconnecting");
}

function createSinglePrimaryClient(
  client: NodeRedisClient,
  countInterruptions: () => number,
  sendCommand: (command: readonly string[]) => Promise<unknown>,
): RedisClient {
  return {
    serverOf: () => "",
    async send(_key, command) {
      const before = countInterruptions();
      const reply = await sendCommand(command);
      return { reply, connection: { send: sendCommand, isCurrent: () => countInterruptions() === before } };
    },
    sendToPrimaries: async (command) => [await sendCommand(command)],
    destroy: async () => await destroyQuietly(client),
  };
}

function databaseOf({ pathname }: URL): number {
  return Number(pathname.slice(1));
}

/** Loads the package `redis`, which is an optional peer. */
export async function importRedis(): Promise<RedisPackage> {
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
  if (signal.aborted) abort();
  signal.addEventListener("abort", abort, { once: true });
  try {
    await Promise.race([client.connect(), aborted.promise]);
  } catch (error) {
    // A Sentinel client closes only when its attempt to connect has ended, which can take longer than the caller waits.
    void destroyQuietly(client);
    throw error;
  } finally {
    signal.removeEventListener("abort", abort);
  }
}
