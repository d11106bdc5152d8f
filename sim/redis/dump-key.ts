import type { Keyspace } from "./keyspace.ts";

/** The commands that create a copy of the key on another server. There are none for a key that does not exist. */
export function dumpKey(keys: Keyspace, key: string): string[][] {
  const expiresAt = keys.expiryOf(key) ?? null;
  const commands = dumpValue(keys, key);
  if (expiresAt === null || commands.length === 0) return commands;
  return [...commands, ["PEXPIREAT", key, String(expiresAt)]];
}

function dumpValue(keys: Keyspace, key: string): string[][] {
  const type = keys.typeOf(key);
  if (type === "string") return [["SET", key, keys.read(key, type)?.text ?? ""]];
  if (type === "hash") return [["HSET", key, ...[...(keys.read(key, type) ?? [])].flat()]];
  if (type === "list") return [["LPUSH", key, ...(keys.read(key, type) ?? []).toReversed()]];
  if (type === "stream") {
    const entries = keys.read(key, type)?.entries ?? [];
    // Redis keeps an empty stream.
    if (entries.length === 0) return emptyStream(key);
    return entries.map(({ ms, seq, fields }) => ["XADD", key, `${ms}-${seq}`, ...fields]);
  }
  const members = type === null ? [] : (keys.read(key, type)?.all() ?? []);
  if (members.length === 0) return [];
  return [["ZADD", key, ...members.flatMap(([member, score]) => [String(score), member])]];
}

function emptyStream(key: string): string[][] {
  const added = ["XADD", key, "0-1", "field", ""];
  return [added, ["XTRIM", key, "MAXLEN", "0"]];
}
