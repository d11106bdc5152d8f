import type { Keyspace } from "../keyspace.ts";
import { OK, readInteger, type Reply } from "../reply.ts";
import { read, shrink, toRange, write, type CommandTable } from "./command.ts";

const listOf = (keys: Keyspace, key: string) => keys.read(key, "list");

function range(keys: Keyspace, [key = "", start, stop]: readonly string[]): Reply {
  const [from, to] = [readInteger(start), readInteger(stop)];
  const list = listOf(keys, key) ?? [];
  const [first, last] = toRange(from, to, list.length);
  return list.slice(first, last + 1);
}

function trim(keys: Keyspace, [key = "", start, stop]: readonly string[]): Reply {
  const [from, to] = [readInteger(start), readInteger(stop)];
  const list = listOf(keys, key);
  if (list === null) return OK;
  const [first, last] = toRange(from, to, list.length);
  const before = list.length;
  list.length = Math.max(0, last + 1);
  list.splice(0, first);
  if (list.length < before) keys.changes++;
  keys.deleteIfEmpty(key, list.length);
  return OK;
}

function pop(keys: Keyspace, [key = ""]: readonly string[]): Reply {
  const list = listOf(keys, key);
  const last = list?.pop();
  if (list === null || last === undefined) return null;
  keys.changes++;
  keys.deleteIfEmpty(key, list.length);
  return last;
}

/** The commands on lists. */
export const listCommands: CommandTable = {
  LLEN: read(2, (keys, [key = ""]) => listOf(keys, key)?.length ?? 0),
  LINDEX: read(3, (keys, [key = "", index]) => listOf(keys, key)?.at(readInteger(index)) ?? null),
  LRANGE: read(4, range),
  LPUSH: write(-3, (keys, [key = "", ...items]) => {
    const list = keys.readOrCreate(key, "list", () => []);
    list.unshift(...items.toReversed());
    keys.changes++;
    return list.length;
  }),
  LTRIM: shrink(4, trim),
  RPOP: shrink(2, pop),
};
