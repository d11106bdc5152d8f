import { HoldfastError } from "../../core/errors.ts";
import type { RedisConnection } from "./connection.ts";

/** How durable an acknowledged write must be; the values are those of `appendfsync`. `unchecked` accepts any. */
export type Durability = "always" | "everysec" | "unchecked";

/** The values of `appendfsync`, the least durable first. */
const FSYNC_POLICIES = ["no", "everysec", "always"];

/**
 * Reads the persistence settings of the servers. Throws `invalid_option` when they are less durable than `required`, or
 * when a server may evict keys. Returns a description of the settings. A server that refuses `CONFIG GET` is accepted
 * and described as `persistence unknown`.
 */
export async function checkDurability(
  connection: RedisConnection,
  description: string,
  required: Durability,
): Promise<string> {
  const configs = await Promise.all(
    ["append*", "maxmemory-policy"].map(async (name) => await readSettings(connection, name)),
  );
  if (configs.includes(null)) return "persistence unknown";
  const all = configs.flat() as Readonly<Record<string, string>>[];
  const policies = all.flatMap((one) => one["maxmemory-policy"] ?? []);
  const syncs = all.flatMap((one) => (one["appendonly"] === "yes" ? (one["appendfsync"] ?? "no") : []));
  const off = all.some((one) => one["appendonly"] === "no");
  const weakest = off ? "no" : (FSYNC_POLICIES.find((one) => syncs.includes(one)) ?? "no");
  const refuse = (problem: string) => {
    if (required === "unchecked") return;
    throw new HoldfastError(
      "invalid_option",
      `redisStore: durability "${required}": ${description} ${problem}`,
    );
  };
  const evicts = policies.find((policy) => policy !== "noeviction");
  if (evicts !== undefined) {
    refuse(`has maxmemory-policy ${evicts}: sessions and revocations may be evicted; set noeviction`);
  }
  if (FSYNC_POLICIES.indexOf(weakest) < FSYNC_POLICIES.indexOf(required)) {
    const has = off ? "appendonly no" : `appendfsync ${weakest}`;
    refuse(`has ${has}; set appendonly yes and appendfsync ${required}, or choose a weaker durability`);
  }
  return `${off ? "appendonly no" : `appendfsync ${weakest}`}${evicts === undefined ? "" : `, ${evicts}`}`;
}

/** Returns the settings of each primary. `null` when a primary refuses `CONFIG GET`, as managed servers may. */
async function readSettings(
  connection: RedisConnection,
  name: string,
): Promise<Record<string, string>[] | null> {
  try {
    const replies = (await connection.sendToPrimaries(["CONFIG", "GET", name])) as string[][];
    return replies.map((flat) =>
      Object.fromEntries(flat.flatMap((key, i) => (i % 2 === 0 ? [[key, flat[i + 1] ?? ""]] : []))),
    );
  } catch (error) {
    if (/: (NOPERM|ERR) /.test((error as Error).message)) return null;
    throw error;
  }
}
