import type { Clock } from "../../src/core/clock.ts";
import type { RedisClient } from "../../src/stores/redis/client.ts";

/** The process of a client. */
export interface ClientProcess {
  readonly clock: Clock;
  readonly isAlive: boolean;
  /** Settles as the promise does while the process lives, and never after it. */
  readonly gate: <T>(promise: Promise<T>) => Promise<T>;
}

/** Lets no reply reach a process that has ended. */
export function gateClient(client: RedisClient, { gate }: ClientProcess): RedisClient {
  return {
    ...client,
    async send(key, command) {
      const { reply, connection } = await gate(client.send(key, command));
      const send = async (next: readonly string[]) => await gate(connection.send(next));
      return { reply, connection: { ...connection, send } };
    },
    sendToPrimaries: async (command) => await gate(client.sendToPrimaries(command)),
  };
}
