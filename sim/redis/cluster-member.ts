import { NotSimulatedError } from "../lua/values.ts";
import type { ServerConnection } from "./blocked-commands.ts";
import { keysOf } from "./command-keys.ts";
import type { Keyspace } from "./keyspace.ts";
import { ErrorReply, type Reply } from "./reply.ts";
import type { KeyedCommand } from "./slot-table.ts";

/** A server, as far as the rules of a cluster need it. */
interface ClusterServer {
  readonly name: string;
  readonly isPrimary: boolean;
  readonly model: { readonly keys: Keyspace; readonly has: (key: string) => boolean };
}

/** The cluster, as its servers know it. Servers have their names. */
export interface ClusterView {
  /** The reply to `CLUSTER NODES`. */
  readonly describe: () => string;
  /** Where the primary of a replica is. */
  readonly primaryOf: (replica: string) => string;
  /** Whether a shard has no primary, so that no server accepts commands on keys. */
  readonly isDown: () => boolean;
  /** Throws the error with which a primary refuses a command on keys that it does not have. */
  readonly assertServed: (primary: string, command: KeyedCommand) => void;
}

const FOREIGN = "ERR Script attempted to access a non local key in a cluster node";

/** What a server does because it belongs to a cluster. Without a cluster it accepts every key. */
export class ClusterMember {
  readonly #server: ClusterServer;
  readonly #view: ClusterView | null;
  /** Whether the command that runs follows `ASKING`. */
  #isAsked = false;

  constructor(server: ClusterServer, view: ClusterView | null) {
    this.#server = server;
    this.#view = view;
  }

  /** Begins a command of the connection. Returns whether it is `ASKING`, which is about the next command. */
  begin(connection: ServerConnection, name: string): boolean {
    this.#isAsked = connection.isAsking;
    connection.isAsking = name === "ASKING" && this.#view !== null;
    return connection.isAsking;
  }

  describe([, action = ""]: readonly string[]): Reply {
    if (this.#view === null) throw new ErrorReply("ERR This instance has cluster support disabled");
    if (action.toUpperCase() === "NODES") return this.#view.describe();
    throw new NotSimulatedError(`the Redis command CLUSTER ${action}`);
  }

  /**
   * Sends a client to the server that has the keys. A server that was frozen does not know yet that the cluster is down.
   * The slot in the reply of a replica is not read by the client.
   */
  redirect(words: readonly string[], wasFrozen: boolean): void {
    const keys = keysOf(words);
    if (this.#view === null || keys.length === 0) return;
    if (!this.#server.isPrimary) throw new ErrorReply(`MOVED 0 ${this.#view.primaryOf(this.#server.name)}`);
    if (this.#view.isDown() && !wasFrozen) throw new ErrorReply("CLUSTERDOWN The cluster is down");
    const { model } = this.#server;
    this.#view.assertServed(this.#server.name, {
      keys,
      isAsking: this.#isAsked,
      has: (key) => model.has(key),
    });
  }

  /** Throws for a command of a script for which a client would be sent to another server. */
  assertLocal(words: readonly string[]): void {
    const { keys: held } = this.#server.model;
    try {
      const keys = keysOf(words);
      this.#view?.assertServed(this.#server.name, {
        keys,
        isAsking: this.#isAsked,
        has: (key) => held.has(key),
      });
    } catch (error) {
      throw error instanceof ErrorReply ? new ErrorReply(FOREIGN) : error;
    }
  }
}
