import { HoldfastError } from "../../core/errors.ts";
import { redisStore, type RedisStoreOptions } from "../../stores/redis.ts";
import { importRedis } from "../../stores/redis/connect-client.ts";
import { systemPlatform, type Platform } from "../platform.ts";
import { claimStore, localFiles, makeStoreDirectory, type OpenedStore } from "./local-store.ts";
import { readPrivateFile } from "./private-file.ts";
import { nameRedisSettings } from "./redis-open-error.ts";

/** Loads the package that the store needs. Rejects when it is not installed. */
export async function loadRedis(): Promise<void> {
  await importRedis();
}

/**
 * Opens the store in Redis. `create` accepts an empty Redis when this machine never used a store. Rejects with
 * `store_emptied` when it is not the store that this machine last used, or was emptied.
 */
export async function openRedisStore(
  redis: RedisStoreOptions,
  options: { create: boolean; dataDir: string; secret: string },
  { clock, random, entropy }: Platform = systemPlatform,
): Promise<OpenedStore> {
  const files = localFiles(options.dataDir);
  const marker = await readPrivateFile(files.marker);
  const store = await redisStore({ ...redis, clock, random, entropy }).catch((error: unknown) => {
    throw nameRedisSettings(error);
  });
  try {
    if ((await store.markers.read("filling")) !== null) {
      const todo = "run holdfast migrate again";
      throw new HoldfastError(
        "store_unavailable",
        `${store.description} has an incomplete migration: ${todo}`,
      );
    }
    const id = await store.markers.read("id");
    if (marker !== null && id !== marker) throw storeEmptied(store.description, files.marker);
    if (id === null && !options.create) {
      const todo = "start the service once, or set REDIS_URL to where its data is";
      throw new HoldfastError("store_unavailable", `${store.description} holds no data: ${todo}`);
    }
    await makeStoreDirectory(`${options.dataDir}.local`);
    if (!(await claimStore(store, files, entropy))) throw storeEmptied(store.description, files.marker);
    return { store, secret: options.secret, files, isNew: id === null };
  } catch (error) {
    await store.close();
    throw error;
  }
}

function storeEmptied(place: string, marker: string): HoldfastError {
  return new HoldfastError(
    "store_emptied",
    `${place} is empty, or is not the store that ${marker} names. Restore it from a backup; ` +
      `or remove ${marker} to start with the store as it is, which may have no user and no session`,
  );
}
