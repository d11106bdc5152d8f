import { isHoldfastError } from "../core/errors.ts";
import type { RedisConnection } from "../stores/redis/connection.ts";

/** One call of every command of the store, with KEY in the place of its key. None of them is run. */
export const storeCommands: readonly (readonly [name: string, ...args: string[]])[] = [
  ["DEL", "KEY"],
  ["EXISTS", "KEY"],
  ["GET", "KEY"],
  ["MGET", "KEY"],
  ["SET", "KEY", "v"],
  ["HDEL", "KEY", "f"],
  ["HEXISTS", "KEY", "f"],
  ["HGET", "KEY", "f"],
  ["HLEN", "KEY"],
  ["HMGET", "KEY", "f"],
  ["HSCAN", "KEY", "0"],
  ["HSET", "KEY", "f", "v"],
  ["HSETNX", "KEY", "f", "v"],
  ["LINDEX", "KEY", "0"],
  ["LLEN", "KEY"],
  ["LPUSH", "KEY", "v"],
  ["LRANGE", "KEY", "0", "1"],
  ["LTRIM", "KEY", "0", "1"],
  ["RPOP", "KEY"],
  ["PEXPIRE", "KEY", "1"],
  ["PTTL", "KEY"],
  ["XADD", "KEY", "*", "f", "v"],
  ["XLEN", "KEY"],
  ["XRANGE", "KEY", "-", "+"],
  ["XREVRANGE", "KEY", "+", "-"],
  ["XREAD", "STREAMS", "KEY", "0"],
  ["XTRIM", "KEY", "MAXLEN", "1"],
  ["ZADD", "KEY", "1", "m"],
  ["ZCARD", "KEY"],
  ["ZCOUNT", "KEY", "0", "1"],
  ["ZRANGE", "KEY", "0", "1"],
  ["ZRANGEBYLEX", "KEY", "-", "+"],
  ["ZRANGEBYSCORE", "KEY", "0", "1"],
  ["ZREM", "KEY", "m"],
  ["ZREMRANGEBYRANK", "KEY", "0", "1"],
  ["ZREMRANGEBYSCORE", "KEY", "0", "1"],
  ["ZREVRANGE", "KEY", "0", "1"],
  ["ZREVRANGEBYSCORE", "KEY", "1", "0"],
  ["ZSCORE", "KEY", "m"],
  ["TIME"],
  ["EVALSHA", "0", "1", "KEY"],
  ["WAIT", "0", "0"],
];

/** `redis.acl_check_cmd` asks about the connection's own user, and needs no right of an administrator. */
const SCRIPT = `
if not redis.acl_check_cmd then return false end
local denied = {}
for _, text in ipairs(ARGV) do
  local command = cjson.decode(text)
  for i, word in ipairs(command) do if word == 'KEY' then command[i] = KEYS[1] end end
  if not redis.acl_check_cmd(unpack(command)) then denied[#denied + 1] = command[1] end
end
return denied`;

/** What the store sends beside its other commands while a cluster moves a slot. */
const clusterCommands: typeof storeCommands = [["ASKING"]];

/** Lists the commands that the user may not run on `key`. `null` when the server cannot tell. */
export async function findDeniedCommands(
  connection: RedisConnection,
  key: string,
  description: string,
  isCluster: boolean,
): Promise<readonly string[] | null> {
  const commands = isCluster ? [...storeCommands, ...clusterCommands] : storeCommands;
  const args = commands.map((command) => JSON.stringify(command));
  try {
    const reply = await connection.send(key, ["EVAL", SCRIPT, "1", key, ...args], 0);
    return Array.isArray(reply) ? reply.map(String) : null;
  } catch (error) {
    if (!isHoldfastError(error)) throw error;
    const reason = error.message.replace(description, "");
    if (/\bNOPERM\b/.test(reason)) return [/permissions to run the '([^']+)'/.exec(reason)?.[1] ?? "EVAL"];
    throw error;
  }
}
