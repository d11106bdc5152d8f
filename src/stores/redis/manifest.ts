import type { Entropy } from "../../core/entropy.ts";
import type { RedisConnection } from "./connection.ts";
import { FORMAT, newerFormatError, rejectNewer } from "./format.ts";
import { defineRead, defineWrite, type Script } from "./script.ts";

/**
 * The hash that identifies a database as a store, and the two keys in its slot: the log and the entries in force. The
 * hash holds the epoch, the end of the log, the markers and the signing keys. They cannot be lost one by one, so an
 * emptied store is never mistaken for an unused one.
 */
export interface Manifest {
  /** Random name of the store. Another epoch means that another store has taken its place. */
  readonly epoch: string;
  /** The end of the log when the store was opened. */
  readonly seq: number;
  readonly key: string;
  readonly logKey: string;
  /**
   * Runs a script with the three keys; `args` are its arguments from the third on. Rejects with `store_emptied` when
   * the epoch has changed.
   */
  readonly runScript: (script: Script, args?: readonly (string | number)[]) => Promise<unknown>;
  /** Runs a script with the hash alone. Unlike the three keys together, it is never on two servers of a cluster. */
  readonly runHashScript: Manifest["runScript"];
  /** Runs a script with the log alone. It does not check the epoch; `args` are its arguments from the second on. */
  readonly runLogScript: Manifest["runScript"];
}

/**
 * Opens the store. It also creates the log without an entry. While a cluster moves a slot, it refuses a script with
 * several keys if one of them does not exist.
 */
const openScript = defineWrite(`
if redis.call('HSETNX', KEYS[1], 'epoch', ARGV[2]) == 1 then
  redis.call('HSET', KEYS[1], 'format', ${FORMAT}, 'seq', 0, 'chain', '', 'beat', 0)
  redis.call('DEL', KEYS[2], KEYS[3])
  redis.call('ZADD', KEYS[3], 'inf', ARGV[2])
end
local epoch, format, seq = unpack(redis.call('HMGET', KEYS[1], 'epoch', 'format', 'seq'))
if seq == '0' and format == '${FORMAT}' and redis.call('EXISTS', KEYS[2]) == 0 then
  redis.call('XADD', KEYS[2], '0-1', 'entry', '')
  redis.call('XTRIM', KEYS[2], 'MAXLEN', 0)
end
return {epoch, format, seq}`);

const CHECK_EPOCH = `
local epoch, format = unpack(redis.call('HMGET', KEYS[1], 'epoch', 'format'))
if epoch ~= ARGV[2] then return redis.error_reply('EMPTIED the store') end
`;

/**
 * Defines a script on the manifest that first checks the epoch, which is its second argument. Its variable `format` is
 * the store's format.
 */
export function defineManifestRead(body: string): Script {
  return defineRead(CHECK_EPOCH + body);
}

/** Defines a script that also refuses to run on a newer format. */
export function defineManifestWrite(body: string): Script {
  return { ...defineRead(CHECK_EPOCH + rejectNewer("format") + body), writes: true };
}

/** Returns the store's time. */
export const readTime: Script = defineManifestRead("return now");

/** Returns the store's time, unless the format is newer. */
export const readWritableTime: Script = defineManifestRead(`${rejectNewer("format")}
return now`);

export function manifestKeys(prefix: string): [hash: string, log: string, inForce: string] {
  return [`${prefix}{store}`, `${prefix}{store}:log`, `${prefix}{store}:in-force`];
}

export async function openManifest(
  connection: RedisConnection,
  prefix: string,
  description: string,
  entropy: Entropy,
): Promise<Manifest> {
  const keys = manifestKeys(prefix);
  const newEpoch = entropy.bytes(16).toString("hex");
  const [epoch, format, seq] = (await connection.runScript(openScript, keys, [newEpoch])) as [
    string,
    string,
    string,
  ];
  if (Number(format) > FORMAT) throw newerFormatError(description, format);
  const [key, logKey] = keys;
  return {
    epoch,
    seq: Number(seq),
    key,
    logKey,
    runScript: async (script, args = []) => await connection.runScript(script, keys, [epoch, ...args]),
    runHashScript: async (script, args = []) => await connection.runScript(script, [key], [epoch, ...args]),
    runLogScript: async (script, args = []) => await connection.runScript(script, [logKey], args),
  };
}
