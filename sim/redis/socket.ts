import { toBytes, toClientReply } from "./bytes.ts";
import type { NetworkPath } from "./network-path.ts";
import type { Answer, ServerConnection } from "./blocked-commands.ts";
import type { RedisNode } from "./node.ts";
import { ErrorReply } from "./reply.ts";

interface PendingCommand {
  readonly resolve: (reply: unknown) => void;
  readonly reject: (error: Error) => void;
}

const CLOSED = "Socket closed unexpectedly";

/** One connection of a client to a server. Its replies have the order of the commands, as in the protocol. */
export class ClientSocket {
  readonly node: RedisNode;
  readonly #toServer: (deliver: () => void) => void;
  readonly #toClient: (deliver: () => void) => void;
  readonly #onClosed: (error: Error) => void;
  readonly #connection: ServerConnection;
  /** The commands that have no reply yet. */
  readonly #pending: PendingCommand[] = [];
  #isOpen = true;

  private constructor(node: RedisNode, path: NetworkPath, onClosed: (error: Error) => void) {
    this.node = node;
    this.#toServer = path.createSender(node.name);
    this.#toClient = path.createSender(node.name);
    this.#onClosed = onClosed;
    this.#connection = {
      lastWrite: 0,
      isAsking: false,
      behind: null,
      onClosed: (error) => this.#toClient(() => this.fail(error)),
    };
  }

  /** Connects. Rejects when the server is down; a frozen server or network does not answer until it works again. */
  static async open(
    node: RedisNode,
    path: NetworkPath,
    onClosed: (error: Error) => void,
  ): Promise<ClientSocket> {
    const socket = new ClientSocket(node, path, onClosed);
    await new Promise<void>((resolve, reject) => {
      socket.#toServer(() => {
        try {
          node.connect(socket.#connection);
          // The handshake has the answer of the process, and a frozen process accepts connections without one.
          node.handle(socket.#connection, ["PING"], () => socket.#toClient(resolve));
        } catch (error) {
          socket.#toClient(() => reject(error));
        }
      });
    });
    return socket;
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  async send(words: readonly string[]): Promise<unknown> {
    if (!this.#isOpen) throw new Error("The client is offline");
    const bytes = words.map(toBytes);
    return await new Promise((resolve, reject) => {
      const command = { resolve, reject };
      this.#pending.push(command);
      this.#toServer(() => {
        this.node.handle(this.#connection, bytes, (reply) =>
          this.#toClient(() => this.#settle(command, reply)),
        );
      });
    });
  }

  /** Ends the connection from the side of the client. The server notices at once. */
  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.node.disconnect(this.#connection);
    this.#rejectAll(new Error("Disconnects client"));
  }

  /** The connection breaks. */
  fail(error: Error = new Error(CLOSED)): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.node.disconnect(this.#connection);
    this.#rejectAll(error);
    this.#onClosed(error);
  }

  #settle(command: PendingCommand, reply: Parameters<Answer>[0]): void {
    const index = this.#pending.indexOf(command);
    if (!this.#isOpen || index < 0) return;
    this.#pending.splice(index, 1);
    if (reply instanceof ErrorReply) command.reject(new Error(String(toClientReply(reply.message))));
    else command.resolve(toClientReply(reply));
  }

  #rejectAll(error: Error): void {
    for (const { reject } of this.#pending.splice(0)) reject(error);
  }
}
