import type { AttemptDelta, AttemptStore, AttemptTotal } from "../attempt-store.ts";
import type { RedisConnection } from "./connection.ts";
import { defineWrite } from "./script.ts";

/**
 * Arguments: for each key, the delta and the window, ms. Returns the count and the rest of the window of each key. The
 * server erases a count when its window has ended.
 */
const addAttempts = defineWrite(`
local totals = {}
for i, key in ipairs(KEYS) do
  local added, window = tonumber(ARGV[2 * i]), tonumber(ARGV[2 * i + 1])
  local held = redis.call('HMGET', key, 'count', 'endsAt')
  local rest = (tonumber(held[2]) or now) - now
  local count
  if rest > 0 and rest <= window then
    count = math.max(0, tonumber(held[1]) + added)
    if added ~= 0 then redis.call('HSET', key, 'count', count) end
  else
    count, rest = math.max(0, added), window
    if count > 0 then
      redis.call('HSET', key, 'count', count, 'endsAt', string.format('%.0f', now + window))
      redis.call('PEXPIRE', key, window)
    end
  end
  totals[2 * i - 1] = count
  totals[2 * i] = rest
end
return totals`);

/** The counts are spread over the slots of a cluster by the first character of their digests. */
function groupOf(key: string): string {
  return ((key.codePointAt(0) ?? 0) % 16).toString(16);
}

/**
 * The part of the store for counts of attempts. A batch needs one script for each group of counts, and all scripts of a
 * batch are pipelined. In a cluster each count has its own script. A cluster that moves the slot refuses a script with
 * several keys while one of them does not exist.
 */
export function createAttemptStore(
  connection: RedisConnection,
  prefix: string,
  isCluster: boolean,
): AttemptStore {
  async function addGroup(deltas: readonly AttemptDelta[]): Promise<AttemptTotal[]> {
    const keys = deltas.map(({ key }) => `${prefix}{attempts:${groupOf(key)}}:${key}`);
    const args = deltas.flatMap(({ count, windowMs }) => [count, windowMs]);
    const reply = (await connection.runScript(addAttempts, keys, args)) as number[];
    return deltas.map((_, i) => ({ count: Number(reply[2 * i]), endsInMs: Number(reply[2 * i + 1]) }));
  }

  return {
    async add(deltas) {
      const groups = Map.groupBy(deltas, ({ key }) => (isCluster ? key : groupOf(key)));
      const totals = new Map<AttemptDelta, AttemptTotal>();
      const addAll = [...groups.values()].map(async (members) => {
        const added = await addGroup(members);
        for (const [i, member] of members.entries()) totals.set(member, added[i] as AttemptTotal);
      });
      await Promise.all(addAll);
      return deltas.map((delta) => totals.get(delta) as AttemptTotal);
    },
  };
}
