import type { Answer } from "./client.ts";
import { readMessage } from "./errors.ts";
import { ImportingNodes, type ImportingNodesOptions, type NodeConnection } from "./importing-nodes.ts";

/** The servers of a cluster, as a client knows them. */
export interface ClusterDirectory extends ImportingNodesOptions {
  /** Returns the address of the primary that has the slot of the key. */
  readonly serverOf: (key: string) => string;
  /** Connects to the primary that has the slot of the key. */
  readonly connectToOwner: (key: string) => Promise<NodeConnection>;
  /** Whether the client still takes that primary for the one that has the slot. It never throws. */
  readonly isOwner: (key: string, node: NodeConnection) => boolean;
  /** Asks the servers again which primary has the slot. It never rejects. */
  readonly refresh: (key: string) => Promise<void>;
  /** Called when another server took over. Acknowledged writes may have been lost. */
  readonly onInterruption: (error: unknown) => void;
}

/** How often one command follows `MOVED`. A server that takes over may itself be replaced at once. */
const MAX_MOVES = 3;

/** Sends each command to the server of a cluster that has its key. */
export class ClusterRouter {
  readonly #directory: ClusterDirectory;
  readonly #importing: ImportingNodes;

  constructor(directory: ClusterDirectory) {
    this.#directory = directory;
    this.#importing = new ImportingNodes(directory);
  }

  async send(key: string, command: readonly string[]): Promise<Answer> {
    for (let moves = 0; ; moves++) {
      try {
        return await this.#sendToOwner(key, command);
      } catch (error) {
        if (!readMessage(error).startsWith("MOVED ") || moves === MAX_MOVES) throw error;
        // Another server may have taken over without the last writes, although no connection broke.
        this.#directory.onInterruption(error);
        await this.#directory.refresh(key);
      }
    }
  }

  async destroy(): Promise<void> {
    await this.#importing.destroy();
  }

  async #sendToOwner(key: string, command: readonly string[]): Promise<Answer> {
    const owner = this.#directory.serverOf(key);
    const node = await this.#directory.connectToOwner(key);
    const epoch = node.socketEpoch;
    const connection = {
      send: async (next: readonly string[]) => await node.sendCommand([...next]),
      isCurrent: () => node.socketEpoch === epoch && this.#directory.isOwner(key, node),
    };
    try {
      return { reply: await connection.send(command), connection };
    } catch (error) {
      if (!readMessage(error).startsWith("ASK ")) throw error;
      // The primary has given the key to another server, and has the slot. A failover looks different.
      const answer = await this.#importing.send(owner, error, command);
      return { reply: answer.reply, connection: answer.connection };
    }
  }
}
