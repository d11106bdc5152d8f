import { HoldfastError } from "../../core/errors.ts";
import type { RedisConnection } from "./connection.ts";

/** What must be true of the servers before a write counts as kept. */
export type Durability = "always" | "everysec" | "unchecked";

/** From what is lost with the process to what is lost with nothing less than the disk. */
const FSYNC_POLICIES = ["no", "everysec", "always"];

/**
 * Reads how the servers keep what they are told, and refuses those that keep less than was `asked` for, or that may
 * evict. Returns it in words. A server that does not tell is believed, and said to be unknown.
 */
export async function checkDurability(
  link: RedisConnection,
  description: string,
  required: Durability,
): Promise<string> {
  const configs = await Promise.all(
    ["append*", "maxmemory-policy"].map(async (name) => await readSettings(link, name)),
  );
  if (configs.includes(null)) return "persistence unknown";
  const all = configs.flat() as Readonly<Record<string, string>>[];
  const policies = all.flatMap((one) => one["maxmemory-policy"] ?? []);
  const syncs = all.flatMap((one) => (one["appendonly"] === "yes" ? (one["appendfsync"] ?? "no") : []));
  const off = all.some((one) => one["appendonly"] === "no");
  const weakest = off ? "no" : (FSYNC_POLICIES.find((one) => syncs.includes(one)) ?? "no");
  const refuse = (what: string) => {
    if (required === "unchecked") return;
    throw new HoldfastError("invalid_option", `redisStore: durability "${required}": ${description} ${what}`);
  };
  const evicts = policies.find((policy) => policy !== "noeviction");
  if (evicts !== undefined) {
    refuse(`has maxmemory-policy ${evicts}: sessions and revocations may be evicted; set noeviction`);
  }
  if (FSYNC_POLICIES.indexOf(weakest) < FSYNC_POLICIES.indexOf(required)) {
    const has = off ? "appendonly no" : `appendfsync ${weakest}`;
    refuse(`has ${has}; set appendonly yes and appendfsync ${required}, or ask for less`);
  }
  return `${off ? "appendonly no" : `appendfsync ${weakest}`}${evicts === undefined ? "" : `, ${evicts}`}`;
}

/** Of each primary; `null` when one does not tell, as a managed one may. */
async function readSettings(link: RedisConnection, name: string): Promise<Record<string, string>[] | null> {
  try {
    const replies = (await link.sendToPrimaries(["CONFIG", "GET", name])) as string[][];
    return replies.map((flat) =>
      Object.fromEntries(flat.flatMap((key, i) => (i % 2 === 0 ? [[key, flat[i + 1] ?? ""]] : []))),
    );
  } catch (error) {
    if (/: (NOPERM|ERR) /.test((error as Error).message)) return null;
    throw error;
  }
}
