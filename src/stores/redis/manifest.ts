import { randomBytes } from "node:crypto";
import { HoldfastError } from "../../core/errors.ts";
import type { RedisConnection } from "./connection.ts";
import { defineRead, defineWrite, type Script } from "./script.ts";

/**
 * The format that this version writes. It reads every format up to this one, and keeps fields that it does not know.
 */
export const FORMAT = 1;

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
  readonly logKey: string;
  /**
   * Runs a script with the three keys; `args` are its arguments from the third on. Rejects with `store_emptied` when
   * the epoch has changed.
   */
  readonly runScript: (script: Script, args?: readonly (string | number)[]) => Promise<unknown>;
}

const openScript = defineWrite(`
if redis.call('HSETNX', KEYS[1], 'epoch', ARGV[2]) == 1 then
  redis.call('HSET', KEYS[1], 'format', ${FORMAT}, 'seq', 0, 'chain', '', 'beat', 0)
  redis.call('DEL', KEYS[2], KEYS[3])
  redis.call('ZADD', KEYS[3], 'inf', ARGV[2])
end
return redis.call('HMGET', KEYS[1], 'epoch', 'format', 'seq')`);

const CHECK_EPOCH = `
if redis.call('HGET', KEYS[1], 'epoch') ~= ARGV[2] then return redis.error_reply('EMPTIED the store') end
`;

/** Defines a script on the manifest that first checks the epoch, which is its second argument. */
export function defineManifestRead(body: string): Script {
  return defineRead(CHECK_EPOCH + body);
}

export function defineManifestWrite(body: string): Script {
  return defineWrite(CHECK_EPOCH + body);
}

/** Returns the store's time. */
export const readTime: Script = defineManifestRead("return now");

export function manifestKeys(prefix: string): string[] {
  return [`${prefix}{store}`, `${prefix}{store}:log`, `${prefix}{store}:in-force`];
}

export async function openManifest(
  connection: RedisConnection,
  prefix: string,
  description: string,
): Promise<Manifest> {
  const keys = manifestKeys(prefix);
  const newEpoch = randomBytes(16).toString("hex");
  const [epoch, format, seq] = (await connection.runScript(openScript, keys, [newEpoch])) as [
    string,
    string,
    string,
  ];
  if (Number(format) > FORMAT) {
    const versions = `has format ${format}, this version knows up to ${FORMAT}`;
    throw new HoldfastError("store_newer", `${description} was written by a newer version: it ${versions}`);
  }
  const run: Manifest["runScript"] = async (script, args = []) =>
    await connection.runScript(script, keys, [epoch, ...args]);
  return { epoch, seq: Number(seq), logKey: keys[1] ?? "", runScript: run };
}
