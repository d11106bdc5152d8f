import type { Keyspace } from "../keyspace.ts";
import type { Reply } from "../reply.ts";
import { arityError, read, shrink, write, type CommandTable } from "./command.ts";

const hashOf = (keys: Keyspace, key: string) => keys.read(key, "hash");
const ownHash = (keys: Keyspace, key: string) =>
  keys.readOrCreate(key, "hash", () => new Map<string, string>());

function set(keys: Keyspace, [key = "", ...pairs]: readonly string[]): Reply {
  if (pairs.length % 2 !== 0) throw arityError("HSET");
  const hash = ownHash(keys, key);
  const before = hash.size;
  for (let i = 0; i < pairs.length; i += 2) hash.set(pairs[i] as string, pairs[i + 1] as string);
  keys.changes++;
  return hash.size - before;
}

function remove(keys: Keyspace, [key = "", ...fields]: readonly string[]): Reply {
  const hash = hashOf(keys, key);
  if (hash === null) return 0;
  const removed = fields.filter((field) => hash.delete(field)).length;
  if (removed > 0) keys.changes++;
  keys.deleteIfEmpty(key, hash.size);
  return removed;
}

/** The commands on hashes. */
export const hashCommands: CommandTable = {
  HGET: read(3, (keys, [key = "", field = ""]) => hashOf(keys, key)?.get(field) ?? null),
  HMGET: read(-3, (keys, [key = "", ...fields]) => {
    const hash = hashOf(keys, key);
    return fields.map((field) => hash?.get(field) ?? null);
  }),
  HEXISTS: read(3, (keys, [key = "", field = ""]) => Number(hashOf(keys, key)?.has(field) ?? false)),
  HLEN: read(2, (keys, [key = ""]) => hashOf(keys, key)?.size ?? 0),
  HGETALL: read(2, (keys, [key = ""]) => [...(hashOf(keys, key) ?? [])].flat()),
  HSET: write(-4, set),
  HSETNX: write(4, (keys, [key = "", field = "", text = ""]) => {
    const hash = ownHash(keys, key);
    if (hash.has(field)) return 0;
    hash.set(field, text);
    keys.changes++;
    return 1;
  }),
  HDEL: shrink(-3, remove),
};
