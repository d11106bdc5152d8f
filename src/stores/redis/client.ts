import type { NodeSettings } from "./node-options.ts";

/** The connection over which a server answered. */
export interface AnsweringConnection {
  /** Sends another command on this connection, without following redirections. */
  readonly send: (command: readonly string[]) => Promise<unknown>;
  /**
   * Whether no other connection has taken its place since the answered command was sent. Another connection may lead to
   * a server that lacks the write.
   */
  readonly isCurrent: () => boolean;
}

/** The reply to a command, and where it came from. */
export interface Answer {
  readonly reply: unknown;
  readonly connection: AnsweringConnection;
}

/** The common interface of a single-server, cluster and Sentinel client. It reconnects until it is destroyed. */
export interface RedisClient {
  /** Sends a command to the server that has `key`, and follows redirections. Rejects at once while it is not connected. */
  readonly send: (key: string, command: readonly string[]) => Promise<Answer>;
  readonly sendToPrimaries: (command: readonly string[]) => Promise<unknown[]>;
  /** Returns the name of the server that has `key`. */
  readonly serverOf: (key: string) => string;
  readonly destroy: () => Promise<void>;
}

/** The caller's part of the options. */
export interface RedisClientOptions extends Omit<NodeSettings, "signal"> {
  /** Called when a connection failed or another server took over. Acknowledged writes may have been lost. */
  readonly onInterruption: (error: unknown) => void;
}

/** A client of the package. */
export interface NodeRedisClient {
  on(event: string, listener: (error: unknown) => void): unknown;
  connect(): Promise<unknown>;
  destroy(): unknown;
}

/** Connects a client of the package; retries until it is connected or the caller's signal aborts. */
export type Connect = <C extends NodeRedisClient>(client: C, ...events: readonly string[]) => Promise<C>;

/** Closes a client of the package. */
export async function destroyQuietly(client: NodeRedisClient): Promise<void> {
  try {
    await client.destroy();
  } catch {
    // The client throws when it had no connection to close.
  }
}
