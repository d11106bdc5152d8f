import { openLocalStore, type OpenedStore } from "./local-store.ts";
import { readRedisOptions } from "./redis-access.ts";
import { systemPlatform, type Platform } from "../platform.ts";
import type { Settings } from "../settings.ts";

/**
 * Loads the modules that the store needs. The package `redis` stops the event loop for 50 ms or more while it is loaded, so
 * it is loaded before the ports are open. Rejects when the package is not installed.
 */
export async function loadStoreModules({ redis }: Pick<Settings, "redis">): Promise<void> {
  if (redis === undefined) return;
  const { loadRedis } = await import("./redis-store.ts");
  await loadRedis();
}

/** Opens the store that the settings name. When it cannot be reached, no other store takes its place. */
export async function openStore(
  settings: Settings,
  options: { create: boolean },
  platform: Platform = systemPlatform,
): Promise<OpenedStore> {
  const { dataDir, secret, redis } = settings;
  if (redis === undefined) return await openLocalStore(dataDir, { ...options, secret }, platform);
  // A service on SQLite needs none of it.
  const { openRedisStore } = await import("./redis-store.ts");
  return await openRedisStore(
    await readRedisOptions(redis),
    { ...options, dataDir, secret: secret ?? "" },
    platform,
  );
}
