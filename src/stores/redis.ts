import { systemClock, type Clock } from "../core/clock.ts";
import type { Entropy } from "../core/entropy.ts";
import { readOptions } from "../core/options.ts";
import type { Store } from "./store.ts";
import { checkAccess, type RedisAccessOptions } from "./redis/access.ts";
import { describeAddress, selectAddress, type RedisAddressOptions } from "./redis/address.ts";
import { DurabilityMonitor } from "./redis/durability-monitor.ts";
import { checkDurability, countSuccessors, defaultReplicas, type Durability } from "./redis/durability.ts";
import { toStoreError } from "./redis/errors.ts";
import { createClusterFence } from "./redis/format-fence.ts";
import { openManifest, readWritableTime } from "./redis/manifest.ts";
import { openConnection } from "./redis/open-connection.ts";
import { redisStoreOptionTable } from "./redis/options.ts";
import { OutageReporter } from "./redis/outage-reporter.ts";
import { assembleStore, type AssembledStore } from "./redis/store.ts";

export { redisAnswers, type RedisAnswersOptions } from "./redis/shared-answers.ts";
export type { Durability };
export type { RedisCredentials, RedisNode, RedisTls } from "./redis/access.ts";

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
  const { clock = systemClock, random, entropy, prefix, openTimeoutMs, commandTimeoutMs } = settings;
  const address = selectAddress("redisStore", settings);
  checkAccess("redisStore", address, settings);
  const description = `redis ${describeAddress(address)}`;
  // With the clock of the system, the server's time is the store's time, because several machines share it.
  const virtual = clock !== systemClock;
  const connectionOptions = {
    address,
    access: settings,
    description,
    clock,
    random,
    virtual,
    openTimeoutMs,
    commandTimeoutMs,
    // Set once the servers are known.
    replicas: 0,
  };
  const outage = new OutageReporter(description);
  let assembled: AssembledStore | null = null;
  const connection = await openConnection({
    ...connectionOptions,
    onInterruption: () => void assembled?.restoreLost(),
    onUnreachable: (error) => outage.failed(error),
    onNewer: (error) => outage.newer(error),
    onRecovered() {
      outage.recovered();
      void assembled?.durability.check();
    },
  });
  try {
    const replicas = settings.replicas ?? (await defaultReplicas(connection, address, description));
    connection.setReplicas(replicas, await countSuccessors(connection, address, description));
    const requirement = { durability: settings.durability, replicas };
    const summary = await checkDurability(connection, description, requirement);
    const manifest = await openManifest(connection, prefix, description, entropy);
    connection.setFence(
      address.kind === "cluster"
        ? createClusterFence(async () => await manifest.runScript(readWritableTime))
        : { manifestKey: manifest.key },
    );
    const durability = new DurabilityMonitor({ connection, requirement, clock, place: description, summary });
    assembled = assembleStore({
      connection,
      manifest,
      prefix,
      clock,
      durability,
      openReader: async () => await openConnection(connectionOptions),
      description,
    });
    return assembled.store;
  } catch (error) {
    await connection.close();
    throw toStoreError(description, error);
  }
}
