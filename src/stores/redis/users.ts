import { DAMAGED_USER, parseRecord, requireUser } from "../damaged-record.ts";
import type { UserRecord, UserStore } from "../user-store.ts";
import type { Clock } from "../../core/clock.ts";
import { AcknowledgedWrites, RESTORE_WINDOW_MS } from "./acknowledged-writes.ts";
import type { RedisConnection } from "./connection.ts";
import { defineRead, defineWrite, type Script } from "./script.ts";

/*
 * Users are a hash of records by name and a hash of names by subject. A sorted set has the names, and another one has the login keys.
 * Each login key has its name behind it. The fifth key has the number of a user's last change for as long as a failover
 * can lose it. The number stays when the user was removed. All keys are in one slot.
 */

/** Another process remembers a change for less time than its number is kept. */
const CHANGE_RETENTION_MS = 2 * RESTORE_WINDOW_MS;

/**
 * Defines the Lua function `numbered(outcome, subject)`, which gives the change of the user a number. The number is the
 * time, so that a change after a failover has a greater number than a change that the failover lost.
 */
const NUMBERED = `local function numbered(outcome, subject)
  local number = math.max(now, (tonumber(redis.call('GET', KEYS[5])) or 0) + 1)
  redis.call('SET', KEYS[5], number, 'PX', ${CHANGE_RETENTION_MS})
  return {outcome, number, subject}
end
`;

/** Defines the Lua function `decode(record)`, which returns `nil` for a record that is absent or damaged. */
const DECODE = `local function decode(record)
  local isRead, user = pcall(cjson.decode, record)
  return isRead and type(user) == 'table' and user or nil
end
`;

/** Separates a login key and a name, which do not contain it. */
const SEPARATOR = "\\0";

/**
 * Defines the Lua function `relist(name, old, new)`, which replaces the login key of a user. It adds before it removes: a
 * sorted set without members does not exist, and a cluster that moves the slot would refuse the second half.
 */
const RELIST = `local function relist(name, old, new)
  if new ~= '' then redis.call('ZADD', KEYS[4], 0, new .. '${SEPARATOR}' .. name) end
  if type(old) == 'string' and old ~= new then redis.call('ZREM', KEYS[4], old .. '${SEPARATOR}' .. name) end
end
`;

const addUser = defineWrite(`${NUMBERED}
local name, subject, user, onlyFirst, key = ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6]
if onlyFirst == '1' and redis.call('HLEN', KEYS[1]) > 0 then return {'exists'} end
if redis.call('HEXISTS', KEYS[1], name) + redis.call('HEXISTS', KEYS[2], subject) > 0 then return {'exists'} end
if key ~= '' then
  local from = key .. '${SEPARATOR}'
  local taken = redis.call('ZRANGEBYLEX', KEYS[4], '[' .. from, '(' .. key .. '\\1')
  for _, entry in ipairs(taken) do
    if redis.call('HEXISTS', KEYS[1], string.sub(entry, #from + 1)) == 1 then return {'exists'} end
  end
  redis.call('ZADD', KEYS[4], 0, from .. name)
  -- A damaged record left its login key behind when it was removed.
  for _, entry in ipairs(taken) do
    if entry ~= from .. name then redis.call('ZREM', KEYS[4], entry) end
  end
end
redis.call('HSET', KEYS[1], name, user)
redis.call('HSET', KEYS[2], subject, name)
redis.call('ZADD', KEYS[3], 0, name)
return numbered('added', subject)`);

const userByName = defineRead(`return redis.call('HGET', KEYS[1], ARGV[2])`);

const userByLoginKey = defineRead(`
local from = ARGV[2] .. '${SEPARATOR}'
local found = redis.call('ZRANGEBYLEX', KEYS[2], '[' .. from, '(' .. ARGV[2] .. '\\1', 'LIMIT', 0, 1)
return found[1] and redis.call('HGET', KEYS[1], string.sub(found[1], #from + 1))`);

const userBySubject = defineRead(`
local name = redis.call('HGET', KEYS[2], ARGV[2])
return name and redis.call('HGET', KEYS[1], name)`);

/**
 * Arguments: name, and a cursor of the subjects. Returns {next cursor, subject of the name, if this part has it}. The ACL of
 * an earlier version does not allow HSCAN, and a removal goes on without the subject then. Not every
 * version of Redis says NOPERM within a script.
 */
const subjectOfName = defineRead(`
local part = redis.pcall('HSCAN', KEYS[1], ARGV[3], 'COUNT', 1000)
if part.err then
  for _, refusal in ipairs({'NOPERM', 'user executing the script', 'ACL failure'}) do
    if string.find(part.err, refusal, 1, true) then return {'0'} end
  end
  return part
end
for i = 1, #part[2], 2 do
  if part[2][i + 1] == ARGV[2] then return {'0', part[2][i]} end
end
return {part[1]}`);

const replaceUser = defineWrite(`${DECODE}${NUMBERED}${RELIST}
local name, key = ARGV[2], ARGV[6]
local was = decode(redis.call('HGET', KEYS[1], name))
if not was or was.subject ~= ARGV[3] or was.mac ~= ARGV[4] then return {'stale'} end
relist(name, was.loginKey, key)
redis.call('HSET', KEYS[1], name, ARGV[5])
return numbered('replaced', ARGV[3])`);

/** Arguments: name, the MAC ('' for a damaged record), and the subject of a damaged record, or ''. */
const removeUser = defineWrite(`${DECODE}${NUMBERED}
local name = ARGV[2]
local standing = redis.call('HGET', KEYS[1], name)
local was = decode(standing) or {}
if not standing or ARGV[3] ~= '' and was.mac ~= ARGV[3] then return {'stale'} end
if type(was.loginKey) == 'string' then redis.call('ZREM', KEYS[4], was.loginKey .. '${SEPARATOR}' .. name) end
redis.call('HDEL', KEYS[1], name)
redis.call('ZREM', KEYS[3], name)
local subject = type(was.subject) == 'string' and was.subject or nil
if ARGV[4] ~= '' and redis.call('HGET', KEYS[2], ARGV[4]) == name then subject = ARGV[4] end
if subject and redis.call('HGET', KEYS[2], subject) == name then redis.call('HDEL', KEYS[2], subject) end
return numbered('removed', subject)`);

/**
 * Arguments: name, subject, number of the change, record ('' when the user was removed), login key or ''. Applies a
 * change that the store has lost: the user has no change of this or a greater number. Returns 1 when it was lost.
 */
const restoreChange = defineWrite(`${DECODE}${RELIST}
local name, subject, number, record, key = ARGV[2], ARGV[3], tonumber(ARGV[4]), ARGV[5], ARGV[6]
if (tonumber(redis.call('GET', KEYS[5])) or 0) >= number then return 0 end
local standing = redis.call('HGET', KEYS[1], name)
local was = decode(standing)
if was and was.subject ~= subject then return 0 end
local owner = redis.call('HGET', KEYS[2], subject)
if owner and owner ~= name then return 0 end
local isKept = (standing or '') == record
if not isKept then
  relist(name, was and was.loginKey, record == '' and '' or key)
  if record == '' then
    redis.call('HDEL', KEYS[1], name)
    redis.call('HDEL', KEYS[2], subject)
    redis.call('ZREM', KEYS[3], name)
  else
    redis.call('HSET', KEYS[1], name, record)
    redis.call('HSET', KEYS[2], subject, name)
    redis.call('ZADD', KEYS[3], 0, name)
  end
end
redis.call('SET', KEYS[5], number, 'PX', ${CHANGE_RETENTION_MS})
return isKept and 0 or 1`);

const listUsers = defineRead(`
local from = ARGV[2] == '' and '-' or '(' .. ARGV[2]
local names = redis.call('ZRANGEBYLEX', KEYS[2], from, '+', 'LIMIT', 0, ARGV[3])
if #names == 0 then return {} end
return {names, redis.call('HMGET', KEYS[1], unpack(names))}`);

/** Arguments: name, subject, record, login key or ''. Used by an import into an empty database. */
export const putUser: Script = defineWrite(`
redis.call('HSET', KEYS[1], ARGV[2], ARGV[4])
redis.call('HSET', KEYS[2], ARGV[3], ARGV[2])
redis.call('ZADD', KEYS[3], 0, ARGV[2])
if ARGV[5] ~= '' then redis.call('ZADD', KEYS[4], 0, ARGV[5] .. '${SEPARATOR}' .. ARGV[2]) end`);

export function userKeys(prefix: string): [records: string, subjects: string, names: string, logins: string] {
  const records = `${prefix}{users}`;
  return [records, `${records}:subjects`, `${records}:names`, `${records}:logins`];
}

/** Older versions did not write `loginKey` and `disabledAt`. Throws `store_corrupt`. */
function parseUser(json: string): UserRecord {
  const user = parseRecord("Redis", "a user", json) as Omit<UserRecord, "loginKey" | "disabledAt">;
  return requireUser("Redis", { loginKey: null, disabledAt: null, ...user });
}

/** A damaged record takes its place in the page, because a shorter page is the last one. It never has a valid MAC. */
function parseListedUser(json: string, username: string): UserRecord {
  try {
    const user = parseUser(json);
    // The next page begins after the last name of this one.
    if (user.username === username) return user;
  } catch {
    // The record is damaged.
  }
  return { username, ...DAMAGED_USER };
}

/** A change that this process has acknowledged. */
interface AcknowledgedChange {
  readonly subject: string;
  readonly number: number;
  /** `null` when the user was removed. */
  readonly record: UserRecord | null;
}

/** The users of the store. */
export interface UserPart {
  readonly store: UserStore;
  /** Applies acknowledged changes that the store has lost. Calls `onRestored` for each of them. */
  readonly restoreOnce: (onRestored: (count: number) => void) => Promise<void>;
}

/** The parts of the store that the users use. */
export interface UserContext {
  readonly connection: RedisConnection;
  readonly prefix: string;
  readonly clock: Clock;
  /** Rejects with `store_emptied` when the store is not the one that was opened. */
  readonly requireStore: () => Promise<unknown>;
}

/** Searches the names of all subjects, because a damaged record does not tell its subject. */
async function findSubject({ connection, prefix }: UserContext, username: string): Promise<string | null> {
  const [, subjects] = userKeys(prefix);
  let cursor = "0";
  do {
    const reply = await connection.runScript(subjectOfName, [subjects], [username, cursor]);
    const [next, subject] = reply as [next: string, subject?: string];
    if (subject !== undefined) return subject;
    cursor = next;
  } while (cursor !== "0");
  return null;
}

export function createUserPart(context: UserContext): UserPart {
  const { connection, prefix, clock, requireStore } = context;
  const keys = userKeys(prefix);
  const [records, subjects, names, logins] = keys;
  const acknowledged = new AcknowledgedWrites<AcknowledgedChange>(clock);
  const changeKeys = (username: string) => [...keys, `${prefix}{users}:change:${username}`];

  /** Runs a script that reads one user. A cluster that moves the users refuses a script that names an absent key. */
  async function find(script: Script, used: readonly string[], name: string): Promise<UserRecord | null> {
    const user = (await connection.runScript(script, used, [name])) as string | null;
    if (user === null) await requireStore();
    return user === null ? null : parseUser(user);
  }

  /** Runs a script that changes one user, and remembers the change. Its first argument is the name. */
  async function change<T extends string>(
    script: Script,
    args: readonly [username: string, ...(string | number)[]],
    record: UserRecord | null,
  ): Promise<T> {
    const [username] = args;
    const reply = await connection.runScript(script, changeKeys(username), args);
    const [outcome, number, subject] = reply as [T, number?, string?];
    if (number !== undefined && subject !== undefined)
      acknowledged.add(username, { subject, number, record });
    return outcome;
  }

  const store: UserStore = {
    async add(user, { onlyFirst = false } = {}) {
      await requireStore();
      const { username, subject, loginKey } = user;
      const args = [username, subject, JSON.stringify(user), Number(onlyFirst), loginKey ?? ""] as const;
      return await change<"added" | "exists">(addUser, args, user);
    },
    get: async (username) => await find(userByName, [records], username),
    getByLoginKey: async (loginKey) => await find(userByLoginKey, [records, logins], loginKey),
    getBySubject: async (subject) => await find(userBySubject, [records, subjects], subject),
    async replace(user, expectedMac) {
      const { username, subject, loginKey } = user;
      const args = [username, subject, expectedMac, JSON.stringify(user), loginKey ?? ""] as const;
      return await change<"replaced" | "stale">(replaceUser, args, user);
    },
    subjectOf: async (username) => await findSubject(context, username),
    async remove(username, expectedMac) {
      let subject: string | null = null;
      if (expectedMac === "") {
        const user = (await connection.runScript(userByName, [records], [username])) as string | null;
        if (user === null || parseListedUser(user, username).mac !== "") return "stale";
        subject = await findSubject(context, username);
      }
      return await change<"removed" | "stale">(removeUser, [username, expectedMac, subject ?? ""], null);
    },
    async list({ after = "", limit }) {
      const reply = await connection.runScript(listUsers, [records, names], [after, limit]);
      const [found = [], users = []] = reply as [names?: string[], users?: string[]];
      if (found.length === 0) await requireStore();
      return users.map((user, i) => parseListedUser(user, found[i] ?? ""));
    },
  };

  return {
    store,
    async restoreOnce(onRestored) {
      for (const [username, { subject, number, record }] of acknowledged.recent()) {
        const text = record === null ? "" : JSON.stringify(record);
        const args = [username, subject, number, text, record?.loginKey ?? ""];
        onRestored(Number(await connection.runScript(restoreChange, changeKeys(username), args)));
      }
    },
  };
}
