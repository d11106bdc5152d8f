import { systemClock } from "../../core/clock.ts";
import type { Store } from "../store.ts";
import { checkAccess } from "./access.ts";
import { describeAddress, selectAddress } from "./address.ts";
import { DurabilityMonitor } from "./durability-monitor.ts";
import { checkDurability, countSuccessors, defaultReplicas } from "./durability.ts";
import type { RedisEnvironment } from "./environment.ts";
import { toStoreError } from "./errors.ts";
import { createClusterFence } from "./format-fence.ts";
import { openManifest, readWritableTime } from "./manifest.ts";
import { openConnection } from "./open-connection.ts";
import type { RedisStoreSettings } from "./options.ts";
import { OutageReporter } from "./outage-reporter.ts";
import { assembleStore, type AssembledStore } from "./store.ts";

/** The surroundings of a store. */
export interface RedisStoreSurroundings {
  readonly environment: RedisEnvironment;
  /** Whether the clock of the settings replaces the server's time. */
  readonly virtual: boolean;
}

/** Opens a store with checked settings. Rejects like `redisStore`. */
export async function openRedisStore(
  settings: RedisStoreSettings,
  outside: RedisStoreSurroundings,
): Promise<Store> {
  const { environment, virtual } = outside;
  const { networkClock } = environment;
  const { clock = systemClock, random, entropy, prefix, openTimeoutMs, commandTimeoutMs } = settings;
  const address = selectAddress("redisStore", settings);
  checkAccess("redisStore", address, settings);
  const description = `redis ${describeAddress(address)}`;
  const connectionOptions = {
    address,
    access: settings,
    description,
    clock,
    random,
    virtual,
    environment,
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
    const isCluster = address.kind === "cluster";
    connection.setFence(
      isCluster
        ? createClusterFence(async () => await manifest.runHashScript(readWritableTime), networkClock)
        : { manifestKey: manifest.key },
    );
    const durability = new DurabilityMonitor({
      connection,
      requirement,
      clock,
      networkClock,
      place: description,
      summary,
    });
    assembled = assembleStore({
      connection,
      manifest,
      prefix,
      clock,
      isCluster,
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
