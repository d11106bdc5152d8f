import { systemClock, type Clock } from "../core/clock.ts";
import { invalidOption, rejectUnknownOptions, readWholeNumber } from "../core/options.ts";
import type { Store } from "./store.ts";
import { checkDurability, type Durability } from "./redis/durability.ts";
import { toStoreError } from "./redis/errors.ts";
import { openConnection } from "./redis/open-connection.ts";
import { openManifest } from "./redis/manifest.ts";
import { assembleStore } from "./redis/store.ts";
import { describeAddress, checkPrefix, readAddress, type RedisAddressOptions } from "./redis/address.ts";

export { redisAnswers, type RedisAnswersOptions } from "./redis/shared-answers.ts";
export type { Durability };

export interface RedisStoreOptions extends RedisAddressOptions {
  /** What the names of all keys begin with, without braces. Default `holdfast:`. */
  prefix?: string;
  /** How long a read may take, ms; a write four times as long. Default 500. */
  commandTimeoutMs?: number;
  /** How long opening tries to connect, ms. Default 5,000. */
  openTimeoutMs?: number;
  /** How many replicas must have a write before it is acknowledged. Default 0. */
  replicas?: number;
  /** What the servers' configuration must promise; a weaker one is refused. Default `everysec`. */
  durability?: Durability;
  /** Time instead of the server's, and deadlines: for tests and simulations. */
  clock?: Clock;
  random?: () => number;
}

const OPTIONS = ["url", "cluster", "sentinel", "prefix", "commandTimeoutMs", "openTimeoutMs", "replicas"];

/**
 * A store in Redis, for any number of processes on any number of machines: one server, a primary behind Sentinels, or a
 * cluster. Needs the package `redis`, version 6. Rejects with `store_unavailable` when it cannot be reached, with
 * `store_newer` or `store_corrupt`, and with `invalid_option` when the servers promise less than `durability`.
 *
 * ```ts
 * const store = await redisStore({ url: "redis://127.0.0.1:6379" });
 * ```
 */
export async function redisStore(options: RedisStoreOptions): Promise<Store> {
  rejectUnknownOptions("redisStore", options, [...OPTIONS, "durability", "clock", "random"]);
  const { clock = systemClock, random = Math.random } = options;
  const address = readAddress(options);
  const prefix = checkPrefix(options.prefix ?? "holdfast:", "redisStore");
  const durability = checkDurabilityOption(options.durability ?? "everysec");
  const milliseconds = (name: "commandTimeoutMs" | "openTimeoutMs", byDefault: number) =>
    readWholeNumber(`redisStore: ${name}`, options[name], { default: byDefault, min: 1, max: 60_000 });
  const source = {
    address,
    description: `redis ${describeAddress(address)}`,
    clock,
    random,
    virtual: options.clock !== undefined,
    openTimeoutMs: milliseconds("openTimeoutMs", 5000),
    commandTimeoutMs: milliseconds("commandTimeoutMs", 500),
    replicas: readWholeNumber("redisStore: replicas", options.replicas, { default: 0, min: 0, max: 100 }),
  };
  const { description } = source;
  let check = async () => {};
  const link = await openConnection(source, () => void check());
  try {
    const kept = await checkDurability(link, description, durability);
    const root = await openManifest(link, prefix, description);
    const openReader = async () => await openConnection(source);
    const parts = { link, root, prefix, clock, openReader, description: `${description} (${kept})` };
    const made = assembleStore(parts);
    check = made.check;
    return made.store;
  } catch (error) {
    await link.close();
    throw toStoreError(description, error);
  }
}

function checkDurabilityOption(value: Durability): Durability {
  if (value === "always" || value === "everysec" || value === "unchecked") return value;
  throw invalidOption("redisStore: durability", "always, everysec or unchecked", value);
}
