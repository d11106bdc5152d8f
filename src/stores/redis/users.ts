import type { UserRecord, UserStore } from "../user-store.ts";
import type { RedisConnection } from "./connection.ts";
import { defineRead, defineWrite, type Script } from "./script.ts";

/*
 * Users: a hash of records by name, a hash of names by subject, a sorted set of names, and a sorted set of login keys,
 * each with its name. All are in one slot.
 */

/** Between a login key and a name. Neither contains it. */
const SEPARATOR = "\\0";

const addUser = defineWrite(`
local name, subject, user, onlyFirst, key = ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6]
if onlyFirst == '1' and redis.call('HLEN', KEYS[1]) > 0 then return 'exists' end
if redis.call('HEXISTS', KEYS[1], name) + redis.call('HEXISTS', KEYS[2], subject) > 0 then return 'exists' end
if key ~= '' then
  local from = key .. '${SEPARATOR}'
  local taken = redis.call('ZRANGEBYLEX', KEYS[4], '[' .. from, '(' .. key .. '\\1', 'LIMIT', 0, 1)
  if #taken > 0 then return 'exists' end
  redis.call('ZADD', KEYS[4], 0, from .. name)
end
redis.call('HSET', KEYS[1], name, user)
redis.call('HSET', KEYS[2], subject, name)
redis.call('ZADD', KEYS[3], 0, name)
return 'added'`);

const userByName = defineRead(`return redis.call('HGET', KEYS[1], ARGV[2])`);

const userByLoginKey = defineRead(`
local from = ARGV[2] .. '${SEPARATOR}'
local found = redis.call('ZRANGEBYLEX', KEYS[4], '[' .. from, '(' .. ARGV[2] .. '\\1', 'LIMIT', 0, 1)
return found[1] and redis.call('HGET', KEYS[1], string.sub(found[1], #from + 1))`);

const userBySubject = defineRead(`
local name = redis.call('HGET', KEYS[2], ARGV[2])
return name and redis.call('HGET', KEYS[1], name)`);

const replaceUser = defineWrite(`
local name, key = ARGV[2], ARGV[6]
local standing = redis.call('HGET', KEYS[1], name)
local was = standing and cjson.decode(standing)
if not was or was.subject ~= ARGV[3] or was.mac ~= ARGV[4] then return 'stale' end
if type(was.loginKey) == 'string' then redis.call('ZREM', KEYS[4], was.loginKey .. '${SEPARATOR}' .. name) end
if key ~= '' then redis.call('ZADD', KEYS[4], 0, key .. '${SEPARATOR}' .. name) end
redis.call('HSET', KEYS[1], name, ARGV[5])
return 'replaced'`);

const removeUser = defineWrite(`
local name = ARGV[2]
local standing = redis.call('HGET', KEYS[1], name)
local was = standing and cjson.decode(standing)
if not was or was.mac ~= ARGV[3] then return 'stale' end
if type(was.loginKey) == 'string' then redis.call('ZREM', KEYS[4], was.loginKey .. '${SEPARATOR}' .. name) end
redis.call('HDEL', KEYS[1], name)
redis.call('HDEL', KEYS[2], was.subject)
redis.call('ZREM', KEYS[3], name)
return 'removed'`);

const listUsers = defineRead(`
local from = ARGV[2] == '' and '-' or '(' .. ARGV[2]
local names = redis.call('ZRANGEBYLEX', KEYS[3], from, '+', 'LIMIT', 0, ARGV[3])
if #names == 0 then return {} end
return redis.call('HMGET', KEYS[1], unpack(names))`);

/** Arguments: name, subject, record, login key or ''. Used by an import into an empty database. */
export const putUser: Script = defineWrite(`
redis.call('HSET', KEYS[1], ARGV[2], ARGV[4])
redis.call('HSET', KEYS[2], ARGV[3], ARGV[2])
redis.call('ZADD', KEYS[3], 0, ARGV[2])
if ARGV[5] ~= '' then redis.call('ZADD', KEYS[4], 0, ARGV[5] .. '${SEPARATOR}' .. ARGV[2]) end`);

export function userKeys(prefix: string): string[] {
  return ["", ":subjects", ":names", ":logins"].map((part) => `${prefix}{users}${part}`);
}

/** Older versions wrote neither `loginKey` nor `disabledAt`. */
function parseUser(json: string): UserRecord {
  return {
    loginKey: null,
    disabledAt: null,
    ...(JSON.parse(json) as Omit<UserRecord, "loginKey" | "disabledAt">),
  };
}

export function createUserStore(
  connection: RedisConnection,
  prefix: string,
  requireStore: () => Promise<unknown>,
): UserStore {
  const keys = userKeys(prefix);
  async function find(script: Script, name: string): Promise<UserRecord | null> {
    const user = (await connection.runScript(script, keys, [name])) as string | null;
    if (user === null) await requireStore();
    return user === null ? null : parseUser(user);
  }
  return {
    async add(user, { onlyFirst = false } = {}) {
      await requireStore();
      const { username, subject, loginKey } = user;
      const args = [username, subject, JSON.stringify(user), Number(onlyFirst), loginKey ?? ""];
      return (await connection.runScript(addUser, keys, args)) as "added" | "exists";
    },
    get: async (username) => await find(userByName, username),
    getByLoginKey: async (loginKey) => await find(userByLoginKey, loginKey),
    getBySubject: async (subject) => await find(userBySubject, subject),
    async replace(user, expectedMac) {
      const { username, subject, loginKey } = user;
      const args = [username, subject, expectedMac, JSON.stringify(user), loginKey ?? ""];
      return (await connection.runScript(replaceUser, keys, args)) as "replaced" | "stale";
    },
    remove: async (username, expectedMac) =>
      (await connection.runScript(removeUser, keys, [username, expectedMac])) as "removed" | "stale",
    async list({ after = "", limit }) {
      const users = (await connection.runScript(listUsers, keys, [after, limit])) as string[];
      if (users.length === 0) await requireStore();
      return users.map(parseUser);
    },
  };
}
