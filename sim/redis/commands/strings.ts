import { ErrorReply, OK, readInteger, syntaxError, type Reply } from "../reply.ts";
import type { Keyspace } from "../keyspace.ts";
import { read, shrink, write, type CommandTable } from "./command.ts";

interface SetOptions {
  readonly condition: "NX" | "XX" | null;
  /** Epoch ms. `null` when the key does not expire. */
  readonly expiresAt: number | null;
}

function readSetOptions(words: readonly string[], now: number | null): SetOptions {
  let condition: SetOptions["condition"] = null;
  let expiresAt: number | null = null;
  for (let i = 0; i < words.length; i++) {
    const option = words[i]?.toUpperCase();
    if (option === "NX" || option === "XX") {
      if (condition !== null && condition !== option) throw syntaxError();
      condition = option;
    } else if (option === "PX" || option === "PXAT") {
      if (i + 1 >= words.length || expiresAt !== null) throw syntaxError();
      const ms = readInteger(words[++i]);
      if (ms <= 0) throw new ErrorReply("ERR invalid expire time in 'set' command");
      expiresAt = option === "PX" ? (now ?? 0) + ms : ms;
    } else throw syntaxError();
  }
  return { condition, expiresAt };
}

function set(keys: Keyspace, [key = "", text = "", ...words]: readonly string[]): Reply {
  const { condition, expiresAt } = readSetOptions(words, keys.now);
  if (condition !== null && keys.has(key) !== (condition === "XX")) return null;
  keys.replaceText(key, text, expiresAt);
  keys.expiryOf(key);
  return OK;
}

/** A replica gets the time itself, because its clock and its delay are others. */
function propagateSet(name: string, args: readonly string[], now: number): string[] {
  const [key = "", text = "", ...words] = args;
  const { expiresAt } = readSetOptions(words, now);
  return [name, key, text, ...(expiresAt === null ? [] : ["PXAT", String(expiresAt)])];
}

function ttl(keys: Keyspace, [key = ""]: readonly string[]): Reply {
  const expiresAt = keys.expiryOf(key);
  if (expiresAt === undefined) return -2;
  return expiresAt === null ? -1 : Math.max(0, expiresAt - (keys.now ?? 0));
}

const expireAt = (keys: Keyspace, key: string, at: number) => Number(keys.expire(key, at));

/** The commands on texts, and on keys of any type. */
export const stringCommands: CommandTable = {
  GET: read(2, (keys, [key = ""]) => keys.read(key, "string")?.text ?? null),
  MGET: read(-2, (keys, args) =>
    args.map((key) => (keys.typeOf(key) === "string" ? (keys.read(key, "string")?.text ?? null) : null)),
  ),
  SET: write(-3, set, propagateSet),
  DEL: shrink(-2, (keys, args) => args.filter((key) => keys.delete(key)).length),
  EXISTS: read(-2, (keys, args) => args.filter((key) => keys.has(key)).length),
  PTTL: read(2, ttl),
  PEXPIRE: shrink(
    3,
    (keys, [key = "", ms]) => expireAt(keys, key, (keys.now ?? 0) + readInteger(ms)),
    (_name, [key = "", ms], now) => ["PEXPIREAT", key, String(now + readInteger(ms))],
  ),
  PEXPIREAT: shrink(3, (keys, [key = "", at]) => expireAt(keys, key, readInteger(at))),
  FLUSHALL: shrink(-1, (keys) => {
    keys.clear();
    return OK;
  }),
};
