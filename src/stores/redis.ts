import { systemClock, type Clock } from "../core/clock.ts";
import type { Entropy } from "../core/entropy.ts";
import { readOptions } from "../core/options.ts";
import type { Store } from "./store.ts";
import type { RedisAccessOptions } from "./redis/access.ts";
import type { RedisAddressOptions } from "./redis/address.ts";
import type { Durability } from "./redis/durability.ts";
import { realServers } from "./redis/environment.ts";
import { openRedisStore } from "./redis/open-store.ts";
import { redisStoreOptionTable } from "./redis/options.ts";

export * from "./redis/shared-answers.ts";
export type { Durability };

/** Options of `redisStore`. Exactly one of `url`, `cluster` and `sentinel` is required. */
export interface RedisStoreOptions extends RedisAddressOptions, RedisAccessOptions {
  /** Prefix of all Redis keys, without braces. Several stores can share a server. Default `holdfast:`. */
  prefix?: string;
  /** Deadline of a read, ms: 1 to 60,000. A write may take four times as long. Default 500. */
  commandTimeoutMs?: number;
  /** How long opening tries to connect, ms: 1 to 60,000. Default 5,000. */
  openTimeoutMs?: number;
  /**
   * Number of replicas that must have a write before it is acknowledged: 0 to 100. Default: 1 behind Sentinels and in a
   * cluster whose primaries have replicas, and 0 for one server.
   */
  replicas?: number;
  /** Persistence that the servers must be configured for. Less durable servers are refused. Default `everysec`. */
  durability?: Durability;
  /** Replaces the server's time and drives the deadlines, in tests. Default: the server's time, and the system's clock for deadlines. */
  clock?: Clock;
  /** Returns a number from 0 up to 1, for the jitter of retries. Default: `Math.random`. */
  random?: () => number;
  /** Makes the epoch of a new log, for simulations. Default: the operating system. */
  entropy?: Entropy;
}

/**
 * Opens a store in Redis, for any number of processes on any number of machines. Redis may be a single server, a primary
 * that Sentinels manage, or a cluster. The store needs the package `redis`, version 6.
 *
 * Rejects with `invalid_option` for wrong options, and for servers that are less durable than `durability`. Rejects
 * with `store_unavailable` when the store cannot be reached, with `store_newer` when a newer version wrote the data, and
 * with `store_corrupt` when the data are damaged.
 *
 * @example
 * ```ts
 * import { redisStore } from "holdfast/redis";
 *
 * const store = await redisStore({ url: "redis://127.0.0.1:6379" });
 * ```
 */
export async function redisStore(options: RedisStoreOptions): Promise<Store> {
  const settings = readOptions("redisStore", options, redisStoreOptionTable);
  // With the clock of the system, the server's time is the store's time, because several machines share it.
  const virtual = settings.clock !== undefined && settings.clock !== systemClock;
  return await openRedisStore(settings, { environment: realServers, virtual });
}
