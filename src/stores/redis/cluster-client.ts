import { sleep, systemClock } from "../../core/clock.ts";
import { destroyQuietly, type Connect, type NodeRedisClient, type RedisClient } from "./client.ts";
import { ClusterRouter } from "./cluster-router.ts";
import { computeSlot } from "./cluster-slot.ts";
import { COMMAND_OPTIONS, hostOf, nodeOptions, type NodeSettings } from "./node-options.ts";

type RedisPackage = typeof import("redis");

/** The package's default of 5 s would come on top of the failover itself. */
const TOPOLOGY_REFRESH_MS = 200;
/** How often, and how long each time, a command to all primaries waits for their list. */
const MAX_WAITS = 50;
const WAIT_MS = 20;
/** How often the client asks one of the nodes, at random, before no node counts as a member of the cluster. */
const MAX_LOOKUPS = 30;

/** Connects to a cluster through one of `nodes`. */
export async function connectCluster(
  redis: RedisPackage,
  nodes: readonly URL[],
  settings: NodeSettings & { readonly onInterruption: (error: unknown) => void },
  connect: Connect,
): Promise<RedisClient> {
  const client = await connectThroughMember(async () => {
    const one = redis.createCluster(clusterOptions(nodes, settings));
    return await connect(one, "node-error", "node-disconnect", "node-reconnecting");
  });
  const primaryOf = (key: string) => {
    const slot = client.slots[computeSlot(key)];
    if (slot === undefined)
      throw new Error("the client is offline: the cluster is closed or has lost a slot");
    return slot.master;
  };
  const serverOf = (key: string) => primaryOf(key).address;
  const router = new ClusterRouter({
    serverOf,
    connectToOwner: async (key) => await client.nodeClient(primaryOf(key)),
    isOwner: (key, node) => client.slots[computeSlot(key)]?.master.client === node,
    refresh: async (key) => await refreshSlots(client, key),
    async findMember(address) {
      const node = client.nodeByAddress.get(address);
      return node === undefined ? null : await client.nodeClient(node);
    },
    open: async (address) => await connect(redis.createClient(addedNodeOptions(nodes, address, settings))),
    onInterruption: settings.onInterruption,
  });
  return {
    serverOf,
    send: async (key, command) => await router.send(key, command),
    async sendToPrimaries(command) {
      // The package empties its list while it asks for the slots again. An empty list of answers would look like success.
      for (let waits = 0; client.masters.length === 0 && waits < MAX_WAITS; waits++)
        await sleep(systemClock, WAIT_MS);
      if (client.masters.length === 0)
        throw new Error("the client is offline: it knows no primary of the cluster");
      const primaries = await Promise.all(client.masters.map(async (one) => await client.nodeClient(one)));
      return await Promise.all(primaries.map(async (primary) => await primary.sendCommand([...command])));
    },
    async destroy() {
      await router.destroy();
      await destroyQuietly(client);
    },
  };
}

function clusterOptions(nodes: readonly URL[], settings: NodeSettings) {
  const { nodeAddressMap } = settings;
  const [first] = nodes as readonly [URL];
  return {
    rootNodes: nodes.map((node) => {
      const options = nodeOptions(node, settings);
      return { ...options, socket: { ...options.socket, ...hostOf(node) } };
    }),
    defaults: nodeOptions(first, settings),
    ...COMMAND_OPTIONS,
    ...(nodeAddressMap !== undefined && { nodeAddressMap: { ...nodeAddressMap } }),
    topologyRefreshOnReconnectionAttemptStrategy: TOPOLOGY_REFRESH_MS,
  };
}

/** The options of a client of a server that has no slots yet. Such a client does not connect again. */
function addedNodeOptions(nodes: readonly URL[], address: string, settings: NodeSettings) {
  const [first] = nodes as readonly [URL];
  const { socket, ...options } = nodeOptions(first, settings);
  const colon = address.lastIndexOf(":");
  const announced = { host: address.slice(0, colon), port: Number(address.slice(colon + 1)) };
  const target = settings.nodeAddressMap?.[address] ?? announced;
  return {
    ...COMMAND_OPTIONS,
    ...options,
    socket: { ...socket, ...target, reconnectStrategy: false as const },
  };
}

/** The package asks for the slots again when it follows a redirection itself, so it gets a command without effect. */
async function refreshSlots(
  client: {
    readonly sendCommand: (key: string, isReadOnly: boolean, command: string[]) => Promise<unknown>;
  },
  key: string,
): Promise<void> {
  try {
    await client.sendCommand(key, false, ["EXISTS", key]);
  } catch {
    // The next attempt of the command itself shows whether its server is known now.
  }
}

/**
 * Connects again until the client knows a primary. The package asks one node, and a node that was removed from the
 * cluster truthfully answers that it knows no slots.
 */
async function connectThroughMember<C extends NodeRedisClient & { readonly masters: readonly unknown[] }>(
  connect: () => Promise<C>,
): Promise<C> {
  for (let lookup = 0; lookup < MAX_LOOKUPS; lookup++) {
    const client = await connect();
    if (client.masters.length > 0) return client;
    await destroyQuietly(client);
  }
  throw new Error("none of the nodes that answer is a member of a cluster with slots");
}
