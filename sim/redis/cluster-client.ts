import type { RedisClient } from "../../src/stores/redis/client.ts";
import { ClusterRouter } from "../../src/stores/redis/cluster-router.ts";
import { computeSlot } from "../../src/stores/redis/cluster-slot.ts";
import type { NodeConnection } from "../../src/stores/redis/importing-nodes.ts";
import type { RedisNode } from "./node.ts";
import { ReconnectingSocket, type ReconnectOptions } from "./reconnecting-socket.ts";

/** How a client reaches the primaries of a cluster. */
export interface ClusterClientOptions extends Omit<ReconnectOptions, "target"> {
  /** How many primaries share the slots. */
  readonly shards: number;
  /** Returns which shard has each slot now, as `CLUSTER SLOTS` tells it. */
  readonly readOwners: () => (slot: number) => number;
  /** The primary of the shard, as the servers know it. */
  readonly primaryOf: (shard: number) => RedisNode;
  /** The server with the address. */
  readonly serverAt: (address: string) => RedisNode;
}

/** A client of a cluster. It believes its list of primaries until a redirection or a broken connection. */
export async function connectCluster(
  options: ClusterClientOptions,
  signal: AbortSignal,
): Promise<RedisClient> {
  const { shards, readOwners, primaryOf, serverAt, onInterruption } = options;
  const believed = Array.from({ length: shards }, (_, shard) => primaryOf(shard));
  let ownerOf = readOwners();
  const connections = new Map<RedisNode, SimulatedConnection>();
  const lookUp = () => {
    for (const shard of believed.keys()) believed[shard] = primaryOf(shard);
    ownerOf = readOwners();
  };

  /** The connection to the server. A failure lets it look up the primaries again. */
  function connectionTo(node: RedisNode): SimulatedConnection {
    const known = connections.get(node);
    if (known !== undefined) return known;
    const connection = new SimulatedConnection({
      ...options,
      target: () => node,
      onInterruption(error) {
        lookUp();
        onInterruption(error);
      },
    });
    connections.set(node, connection);
    return connection;
  }

  const nodeOf = (key: string) => believed[ownerOf(computeSlot(key))] as RedisNode;
  const serverOf = (key: string) => nodeOf(key).name;
  const router = new ClusterRouter({
    serverOf,
    connectToOwner: async (key) => await connectionTo(nodeOf(key)).open(),
    isOwner: (key, connection) => connectionTo(nodeOf(key)) === connection,
    refresh: async () => await Promise.resolve(lookUp()),
    async findMember(address) {
      const node = believed.find(({ name }) => name === address);
      return node === undefined ? null : await connectionTo(node).open();
    },
    open: async (address) => await connectionTo(serverAt(address)).open(),
    onInterruption: (error) => onInterruption(error as Error),
  });
  const closeAll = () => {
    for (const connection of connections.values()) connection.destroy();
  };
  signal.addEventListener("abort", closeAll, { once: true });
  await Promise.all(believed.map(async (node) => await connectionTo(node).connect()));
  signal.removeEventListener("abort", closeAll);
  return {
    serverOf,
    send: async (key, command) => await router.send(key, command),
    async sendToPrimaries(command) {
      const sendOne = async (node: RedisNode) => await (await connectionTo(node).open()).sendCommand(command);
      return await Promise.all(believed.map(sendOne));
    },
    async destroy() {
      await router.destroy();
      closeAll();
    },
  };
}

/** A connection as the package offers it. */
class SimulatedConnection implements NodeConnection {
  readonly #socket: ReconnectingSocket;

  constructor(options: ReconnectOptions) {
    this.#socket = new ReconnectingSocket(options);
  }

  get socketEpoch(): number {
    return this.#socket.epoch;
  }

  /** Resolves at once after the first connection, also while the connection is broken. */
  async open(): Promise<this> {
    if (this.#socket.node === null) await this.#socket.connect();
    return this;
  }

  async connect(): Promise<void> {
    await this.#socket.connect();
  }

  async sendCommand(command: readonly string[]): Promise<unknown> {
    return await this.#socket.send(command);
  }

  /** Nothing is told, because the socket connects again whenever it breaks. */
  on(): this {
    return this;
  }

  destroy(): void {
    this.#socket.close();
  }
}
