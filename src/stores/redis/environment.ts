import { systemClock, type Clock } from "../../core/clock.ts";
import type { RedisAddress } from "./address.ts";
import { connectClient, importRedis } from "./connect-client.ts";
import type { RedisClient, RedisClientOptions } from "./client.ts";

/** Connects to the address. It retries until it is connected or `signal` aborts. */
export type ConnectRedis = (
  address: RedisAddress,
  options: RedisClientOptions,
  signal: AbortSignal,
) => Promise<RedisClient>;

/** The servers that a store reaches, and the time that passes for them. A simulation replaces both. */
export interface RedisEnvironment {
  /** Loads the package that connects. It may take seconds, which no server needs. */
  readonly loadConnect: () => Promise<ConnectRedis>;
  /** Measures how long servers take. */
  readonly networkClock: Clock;
}

/** The servers on the network, which answer in real time. */
export const realServers: RedisEnvironment = {
  async loadConnect() {
    const redis = await importRedis();
    return async (address, options, signal) => await connectClient(redis, address, options, signal);
  },
  networkClock: systemClock,
};
