import type { RedisClient } from "../../src/stores/redis/client.ts";
import type { RedisNode } from "./node.ts";
import { ReconnectingSocket, type ReconnectOptions } from "./reconnecting-socket.ts";

/** How a client reaches the primaries of a cluster. */
export interface ClusterClientOptions extends Omit<ReconnectOptions, "target"> {
  /** How many primaries share the slots. */
  readonly shards: number;
  readonly shardOf: (key: string) => number;
  /** The primary of the shard, as the servers know it. */
  readonly primaryOf: (shard: number) => RedisNode;
}

/** A client of a cluster. It believes its list of primaries until a redirection or a broken connection. */
export async function connectCluster(
  options: ClusterClientOptions,
  signal: AbortSignal,
): Promise<RedisClient> {
  const { shards, shardOf, primaryOf } = options;
  const believed = Array.from({ length: shards }, (_, shard) => primaryOf(shard));
  const sockets = new Map<RedisNode, ReconnectingSocket>();
  let redirections = 0;

  /** The connection to the server. A failure lets it look up the primaries again. */
  function socketTo(node: RedisNode): ReconnectingSocket {
    const known = sockets.get(node);
    if (known !== undefined) return known;
    const socket = new ReconnectingSocket({
      ...options,
      target: () => node,
      onInterruption(error) {
        for (const shard of believed.keys()) believed[shard] = primaryOf(shard);
        options.onInterruption(error);
      },
    });
    sockets.set(node, socket);
    return socket;
  }

  const nodeOf = (shard: number) => believed[shard] as RedisNode;
  const sendTo = async (node: RedisNode, command: readonly string[]) => {
    const socket = socketTo(node);
    if (socket.node === null) await socket.connect();
    return await socket.send(command);
  };
  const closeAll = () => {
    for (const socket of sockets.values()) socket.close();
  };
  signal.addEventListener("abort", closeAll, { once: true });
  await Promise.all(believed.map(async (node) => await socketTo(node).connect()));
  signal.removeEventListener("abort", closeAll);
  return {
    serverOf: (key) => nodeOf(shardOf(key)).name,
    connectionOf(key) {
      const node = nodeOf(shardOf(key));
      return `${node.name} ${socketTo(node).epoch} ${redirections}`;
    },
    async send(key, command) {
      const shard = shardOf(key);
      try {
        return await sendTo(nodeOf(shard), command);
      } catch (error) {
        if (!(error as Error).message.startsWith("MOVED ")) throw error;
        redirections++;
        options.onInterruption(error as Error);
        believed[shard] = primaryOf(shard);
        return await sendTo(nodeOf(shard), command);
      }
    },
    sendOnSameConnection: async (key, command) => await sendTo(nodeOf(shardOf(key)), command),
    sendToPrimaries: async (command) =>
      await Promise.all(believed.map(async (node) => await sendTo(node, command))),
    destroy: async () => await Promise.resolve(closeAll()),
  };
}
