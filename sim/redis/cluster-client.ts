import type { Answer, RedisClient } from "../../src/stores/redis/client.ts";
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
  const sendToBelieved = async (shard: number, command: readonly string[]): Promise<Answer> => {
    const node = nodeOf(shard);
    const socket = socketTo(node);
    if (socket.node === null) await socket.connect();
    const { epoch } = socket;
    const isCurrent = () => socket.epoch === epoch && nodeOf(shard) === node;
    const send = async (next: readonly string[]) => await socket.send(next);
    return { reply: await send(command), connection: { send, isCurrent } };
  };
  const closeAll = () => {
    for (const socket of sockets.values()) socket.close();
  };
  signal.addEventListener("abort", closeAll, { once: true });
  await Promise.all(believed.map(async (node) => await socketTo(node).connect()));
  signal.removeEventListener("abort", closeAll);
  return {
    serverOf: (key) => nodeOf(shardOf(key)).name,
    async send(key, command) {
      const shard = shardOf(key);
      try {
        return await sendToBelieved(shard, command);
      } catch (error) {
        if (!(error as Error).message.startsWith("MOVED ")) throw error;
        options.onInterruption(error as Error);
        believed[shard] = primaryOf(shard);
        return await sendToBelieved(shard, command);
      }
    },
    sendToPrimaries: async (command) =>
      await Promise.all(believed.map(async (node) => await sendTo(node, command))),
    destroy: async () => await Promise.resolve(closeAll()),
  };
}
