import { destroyQuietly, type Answer, type NodeRedisClient } from "./client.ts";
import { readMessage } from "./errors.ts";

/** A connection of the package to one server. */
export interface NodeConnection extends NodeRedisClient {
  /** Grows with each connection. */
  readonly socketEpoch: number;
  sendCommand(command: readonly string[], options?: { chainId?: symbol }): Promise<unknown>;
}

/** How servers of a cluster are reached. */
export interface ImportingNodesOptions {
  /** Returns the connection to a server that has slots. `null` when the client knows no such server. */
  readonly findMember: (address: string) => Promise<NodeConnection | null>;
  /** Connects to a server without slots. The connection is not made again when it breaks. */
  readonly open: (address: string) => Promise<NodeConnection>;
}

/**
 * The servers that import a slot. While a slot moves, its primary answers `ASK` for each key that has moved, with the
 * address of the server that has the key. That server runs a command on the slot only after `ASKING`.
 *
 * The package does not know a server that has no slots yet, so this holds connections to such servers.
 */
export class ImportingNodes {
  readonly #options: ImportingNodesOptions;
  /** The connections to servers without slots, by address. */
  readonly #own = new Map<string, Promise<NodeConnection>>();

  constructor(options: ImportingNodesOptions) {
    this.#options = options;
  }

  /** Sends a command that `sender` answered with the error `ASK` to the server that the error names. */
  async send(sender: string, redirection: unknown, command: readonly string[]): Promise<Answer> {
    const node = await this.#connectTo(readTarget(sender, redirection));
    const epoch = node.socketEpoch;
    const connection = {
      send: async (next: readonly string[]) => await sendAsking(node, next),
      isCurrent: () => node.socketEpoch === epoch,
    };
    return { reply: await connection.send(command), connection };
  }

  async destroy(): Promise<void> {
    await Promise.all([...this.#own.keys()].map(async (address) => await this.#close(address)));
  }

  async #connectTo(address: string): Promise<NodeConnection> {
    const member = await this.#options.findMember(address);
    if (member !== null) {
      void this.#close(address);
      return member;
    }
    const known = this.#own.get(address);
    if (known !== undefined) return await known;
    const opened = this.#options.open(address);
    this.#own.set(address, opened);
    try {
      const node = await opened;
      node.on("error", () => void this.#close(address, opened));
      return node;
    } catch (error) {
      // A newer attempt may have taken its place.
      if (this.#own.get(address) === opened) this.#own.delete(address);
      throw error;
    }
  }

  /** Closes the connection to the server. With `only`, a newer connection to it stays. */
  async #close(address: string, only = this.#own.get(address)): Promise<void> {
    if (this.#own.get(address) === only) this.#own.delete(address);
    try {
      if (only !== undefined) await destroyQuietly(await only);
    } catch {
      // The connection could not be opened.
    }
  }
}

/**
 * Reads the address, which follows the code and the slot. A server that does not know how clients reach the other one
 * names only the port, and means its own host. An empty host would lead to this machine.
 */
function readTarget(sender: string, redirection: unknown): string {
  const address = readMessage(redirection).split(" ")[2] ?? "";
  return address.startsWith(":") ? sender.slice(0, sender.lastIndexOf(":")) + address : address;
}

/** The server obeys `ASKING` for one command on the same connection, so nothing may come between the two. */
async function sendAsking(node: NodeConnection, command: readonly string[]): Promise<unknown> {
  const chainId = Symbol("asking");
  const [, reply] = await Promise.all([
    node.sendCommand(["ASKING"], { chainId }),
    node.sendCommand([...command], { chainId }),
  ]);
  return reply;
}
