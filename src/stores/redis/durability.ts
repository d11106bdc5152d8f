import { HoldfastError, isHoldfastError } from "../../core/errors.ts";
import type { RedisAddress } from "./address.ts";
import type { RedisConnection } from "./connection.ts";

/** How durable an acknowledged write must be; the values are those of `appendfsync`. `unchecked` accepts any. */
export type Durability = "always" | "everysec" | "unchecked";

/** The durability and the replicas that the store requires of the servers. */
export interface DurabilityRequirement {
  readonly durability: Durability;
  /** How many replicas must have a write before it is acknowledged. */
  readonly replicas: number;
}

/** What the configuration of the servers means for acknowledged writes. */
export interface DurabilityReport {
  /** The configuration in short, such as `appendfsync everysec, 1 replica`. */
  readonly summary: string;
  /** Why the servers are less durable than required, and what to set. `null` when they are durable enough. */
  readonly problem: string | null;
}

type ServerSettings = Readonly<Record<string, string>>;

/** The values of `appendfsync`, the least durable first. */
const FSYNC_POLICIES = ["no", "everysec", "always"];
const SETTINGS = ["append*", "maxmemory-policy", "min-*-to-write"];

/** Reads the configuration of every primary. A server that refuses `CONFIG GET` has no problem, and is unknown. */
export async function readDurability(
  connection: RedisConnection,
  requirement: DurabilityRequirement,
): Promise<DurabilityReport> {
  const replies = await Promise.all(SETTINGS.map(async (name) => await readSettings(connection, name)));
  if (replies.includes(null)) return { summary: "persistence unknown", problem: null };
  const servers = replies as readonly ServerSettings[][];
  const count = servers[0]?.length ?? 0;
  const merged = Array.from({ length: count }, (_, i) =>
    servers.reduce<ServerSettings>((all, replied) => ({ ...all, ...replied[i] }), {}),
  );
  return judgeDurability(merged, requirement);
}

/** Throws `invalid_option` when the servers are less durable than required. Returns a summary otherwise. */
export async function checkDurability(
  connection: RedisConnection,
  description: string,
  requirement: DurabilityRequirement,
): Promise<string> {
  const { summary, problem } = await readDurability(connection, requirement);
  if (problem === null) return summary;
  const message = `redisStore: durability "${requirement.durability}": ${description} ${problem}`;
  throw new HoldfastError("invalid_option", message);
}

function judgeDurability(
  servers: readonly ServerSettings[],
  { durability, replicas }: DurabilityRequirement,
): DurabilityReport {
  const syncs = servers.map((one) => (one["appendonly"] === "yes" ? (one["appendfsync"] ?? "no") : "off"));
  const isOff = syncs.includes("off");
  const weakest = isOff ? "no" : (FSYNC_POLICIES.find((policy) => syncs.includes(policy)) ?? "no");
  const policies = servers.map((one) => one["maxmemory-policy"] ?? "noeviction");
  const evicts = policies.find((policy) => policy !== "noeviction");
  // Redis before version 5 calls replicas slaves.
  const needed = servers.map((one) =>
    Number(one["min-replicas-to-write"] ?? one["min-slaves-to-write"] ?? 0),
  );
  const fewest = Math.min(...needed);
  const summary = [
    isOff ? "appendonly no" : `appendfsync ${weakest}`,
    ...(evicts === undefined ? [] : [evicts]),
    ...(replicas === 0 ? [] : [replicas === 1 ? "1 replica" : `${replicas} replicas`]),
  ].join(", ");
  const problems: string[] = [];
  if (evicts !== undefined) {
    problems.push(`has maxmemory-policy ${evicts}: sessions and revocations may be evicted; set noeviction`);
  }
  if (FSYNC_POLICIES.indexOf(weakest) < FSYNC_POLICIES.indexOf(durability)) {
    const has = isOff ? "appendonly no" : `appendfsync ${weakest}`;
    problems.push(
      `has ${has}; set appendonly yes and appendfsync ${durability}, or choose a weaker durability`,
    );
  }
  if (replicas > 0 && fewest < 1) {
    problems.push(
      "has min-replicas-to-write 0: a primary without its replicas would carry out writes that are never acknowledged, " +
        "and lose them; set min-replicas-to-write 1, or replicas 0",
    );
  }
  const isChecked = durability !== "unchecked" && problems.length > 0;
  return { summary, problem: isChecked ? problems.join("; it ") : null };
}

/**
 * Returns how many replicas must have a write, unless the caller says it. That is one replica behind Sentinels, and in a
 * cluster whose primaries have replicas: a failover would lose acknowledged writes otherwise. Throws `invalid_option`
 * when only some primaries of a cluster have replicas.
 */
export async function defaultReplicas(
  connection: RedisConnection,
  address: RedisAddress,
  description: string,
): Promise<number> {
  if (address.kind === "single") return 0;
  if (address.kind === "sentinel") return 1;
  const [reply] = (await connection.sendToPrimaries(["CLUSTER", "NODES"])) as string[];
  const nodes = (reply ?? "").split("\n").map((line) => line.trim().split(" "));
  const primaries = nodes.filter(
    ([, , flags = "", , , , , , slots]) => flags.includes("master") && slots !== undefined,
  );
  const replicated = new Set(
    nodes.flatMap(([, , flags = "", primary]) => (flags.includes("slave") ? [primary] : [])),
  );
  const alone = primaries.filter(([id]) => !replicated.has(id));
  if (alone.length === primaries.length) return 0;
  if (alone.length === 0) return 1;
  const names = alone.map(([, place = ""]) => place.split("@")[0]).join(", ");
  const message = `redisStore: replicas: ${description} has primaries without a replica (${names}); add replicas, or set replicas to 0`;
  throw new HoldfastError("invalid_option", message);
}

/** Returns 1 when every primary has a replica that can take over, and 0 otherwise. */
export async function countSuccessors(
  connection: RedisConnection,
  address: RedisAddress,
  description: string,
): Promise<number> {
  try {
    return await defaultReplicas(connection, address, description);
  } catch (error) {
    if (isHoldfastError(error, "invalid_option")) return 0;
    throw error;
  }
}

/** Returns the settings of each primary. `null` when a primary refuses `CONFIG GET`, as managed servers may. */
async function readSettings(connection: RedisConnection, name: string): Promise<ServerSettings[] | null> {
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
