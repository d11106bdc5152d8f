import { randomBytes } from "node:crypto";
import { HoldfastError } from "../../core/errors.ts";
import type { RedisConnection } from "./connection.ts";
import { defineRead, defineWrite, type Script } from "./script.ts";

/** What this version writes; it reads everything up to it, and keeps fields that it does not know. */
export const FORMAT = 1;

/**
 * The hash that makes a database a store of ours, and what stands in its slot: the log's entries, and those in
 * force. It has the store's name, where the log ends, markers and keys: none of these can be lost without the
 * others, so a store that was emptied never passes for one in which nothing happened.
 */
export interface Manifest {
  /** Made with the store; another one shows another store. */
  readonly epoch: string;
  /** Where the log ended when it was opened. */
  readonly seq: number;
  readonly logKey: string;
  /** The script gets the three keys, and its arguments from the third on. Rejects with `store_emptied`. */
  readonly runScript: (script: Script, args?: readonly (string | number)[]) => Promise<unknown>;
}

const openScript = defineWrite(`
if redis.call('HSETNX', KEYS[1], 'epoch', ARGV[2]) == 1 then
  redis.call('HSET', KEYS[1], 'format', ${FORMAT}, 'seq', 0, 'chain', '', 'beat', 0)
  redis.call('DEL', KEYS[2], KEYS[3])
  redis.call('ZADD', KEYS[3], 'inf', ARGV[2])
end
return redis.call('HMGET', KEYS[1], 'epoch', 'format', 'seq')`);

const SAME_STORE = `
if redis.call('HGET', KEYS[1], 'epoch') ~= ARGV[2] then return redis.error_reply('EMPTIED the store') end
`;

export function defineManifestRead(body: string): Script {
  return defineRead(SAME_STORE + body);
}

export function defineManifestWrite(body: string): Script {
  return defineWrite(SAME_STORE + body);
}

/** Answers the store's time. */
export const readTime: Script = defineManifestRead("return now");

export function manifestKeys(prefix: string): string[] {
  return [`${prefix}{store}`, `${prefix}{store}:log`, `${prefix}{store}:in-force`];
}

export async function openManifest(
  link: RedisConnection,
  prefix: string,
  description: string,
): Promise<Manifest> {
  const keys = manifestKeys(prefix);
  const fresh = randomBytes(16).toString("hex");
  const [epoch, format, seq] = (await link.runScript(openScript, keys, [fresh])) as [string, string, string];
  if (Number(format) > FORMAT) {
    const versions = `has format ${format}, this version knows up to ${FORMAT}`;
    throw new HoldfastError("store_newer", `${description} was written by a newer version: it ${versions}`);
  }
  const run: Manifest["runScript"] = async (script, args = []) =>
    await link.runScript(script, keys, [epoch, ...args]);
  return { epoch, seq: Number(seq), logKey: keys[1] ?? "", runScript: run };
}
