import type { Clock } from "../../src/core/clock.ts";
import { readOptions } from "../../src/core/options.ts";
import { openRedisStore } from "../../src/stores/redis/open-store.ts";
import { redisStoreOptionTable } from "../../src/stores/redis/options.ts";
import type { Store } from "../../src/stores/store.ts";
import type { RedisDeployment } from "../redis/deployment.ts";

/** The process that opens the store. */
export interface StoreProcess {
  readonly clock: Clock;
  /** Drives the connections. Default: the same clock. */
  readonly networkClock?: Clock;
  readonly random: () => number;
  readonly isAlive: boolean;
  /** Settles as the promise does while the process lives, and never after it. Default: the promise itself. */
  readonly gate?: <T>(promise: Promise<T>) => Promise<T>;
}

/** Opens the store of the package on simulated servers. Its time is that of the servers. */
export async function openSimulatedRedisStore(
  deployment: RedisDeployment,
  process: StoreProcess,
  settings: { readonly durability?: "always" | "everysec"; readonly replicas?: number } = {},
): Promise<Store> {
  const { clock, random } = process;
  const options = readOptions(
    "redisStore",
    { ...deployment.address, clock, random, ...settings },
    redisStoreOptionTable,
  );
  const { networkClock = clock, gate = async (promise) => await promise } = process;
  const environment = deployment.environmentFor({
    clock: networkClock,
    gate,
    get isAlive() {
      return process.isAlive;
    },
  });
  return await openRedisStore(options, { environment, virtual: false });
}
