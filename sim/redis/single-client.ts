import type { RedisClient } from "../../src/stores/redis/client.ts";
import type { RedisNode } from "./node.ts";
import { ReconnectingSocket, type ReconnectOptions } from "./reconnecting-socket.ts";

/** How a client reaches the primary of one data set. */
export interface SingleClientOptions extends Omit<ReconnectOptions, "target"> {
  /** The primary, as the client is told. */
  readonly primary: () => RedisNode;
  /** Calls the listener when Sentinels announce another primary. */
  readonly onAnnounced: (listener: () => void) => () => void;
  /** Whether commands wait for a connection, as behind Sentinels. They fail at once otherwise. */
  readonly waits: boolean;
}

/** A client of one server, or of a primary behind Sentinels. */
export async function connectSingle(options: SingleClientOptions, signal: AbortSignal): Promise<RedisClient> {
  let interruptions = 0;
  const socket = new ReconnectingSocket({
    ...options,
    target: options.primary,
    onInterruption(error) {
      interruptions++;
      options.onInterruption(error);
    },
  });
  const abort = () => socket.close();
  signal.addEventListener("abort", abort, { once: true });
  await socket.connect();
  signal.removeEventListener("abort", abort);
  const leave = options.onAnnounced(() => {
    interruptions++;
    options.onInterruption(new Error("the primary changed"));
    socket.reconnect();
  });
  const send = async (command: readonly string[]) => {
    if (options.waits) await socket.connect();
    return await socket.send(command);
  };
  return {
    serverOf: () => "",
    async send(_key, command) {
      const before = interruptions;
      const reply = await send(command);
      return { reply, connection: { send, isCurrent: () => interruptions === before } };
    },
    sendToPrimaries: async (command) => [await send(command)],
    destroy: async () => {
      leave();
      await Promise.resolve(socket.close());
    },
  };
}
