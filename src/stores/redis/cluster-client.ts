import { sleep, systemClock } from "../../core/clock.ts";
import { destroyQuietly, type Connect, type NodeRedisClient, type RedisClient } from "./client.ts";
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
  { createCluster }: RedisPackage,
  nodes: readonly URL[],
  settings: NodeSettings & { readonly onInterruption: (error: unknown) => void },
  connect: Connect,
): Promise<RedisClient> {
  const { nodeAddressMap, onInterruption } = settings;
  const [first] = nodes as readonly [URL];
  const createClient = () =>
    createCluster({
      rootNodes: nodes.map((node) => {
        const options = nodeOptions(node, settings);
        return { ...options, socket: { ...options.socket, ...hostOf(node) } };
      }),
      defaults: nodeOptions(first, settings),
      ...COMMAND_OPTIONS,
      ...(nodeAddressMap !== undefined && { nodeAddressMap: { ...nodeAddressMap } }),
      topologyRefreshOnReconnectionAttemptStrategy: TOPOLOGY_REFRESH_MS,
    });
  const client = await connectThroughMember(
    async () => await connect(createClient(), "node-error", "node-disconnect", "node-reconnecting"),
  );
  const primaryOf = (key: string) => {
    const slot = client.slots[computeSlot(key)];
    if (slot === undefined)
      throw new Error("the client is offline: the cluster is closed or has lost a slot");
    return slot.master;
  };
  let redirections = 0;
  return {
    serverOf: (key) => primaryOf(key).address,
    connectionOf(key) {
      const { address, client: node } = primaryOf(key);
      return `${address} ${node?.socketEpoch} ${redirections}`;
    },
    async send(key, command) {
      const node = await client.nodeClient(primaryOf(key));
      try {
        return await node.sendCommand([...command]);
      } catch (error) {
        if (!/^(MOVED|ASK) /.test((error as Error).message)) throw error;
        // The package follows the redirection, and asks for the slots again.
        redirections++;
        // Another server may have taken over without the last writes, although no connection broke.
        if ((error as Error).message.startsWith("MOVED ")) onInterruption(error);
        return await client.sendCommand(key, false, [...command]);
      }
    },
    async sendOnSameConnection(key, command) {
      // The cluster client would send WAIT to every primary.
      return await (await client.nodeClient(primaryOf(key))).sendCommand([...command]);
    },
    async sendToPrimaries(command) {
      // The package empties its list while it asks for the slots again. No primary is no answer, and never a good one.
      for (let waits = 0; client.masters.length === 0 && waits < MAX_WAITS; waits++)
        await sleep(systemClock, WAIT_MS);
      if (client.masters.length === 0)
        throw new Error("the client is offline: it knows no primary of the cluster");
      const primaries = await Promise.all(client.masters.map(async (one) => await client.nodeClient(one)));
      return await Promise.all(primaries.map(async (primary) => await primary.sendCommand([...command])));
    },
    destroy: async () => await destroyQuietly(client),
  };
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
