import { EXPIRED_RETENTION_MS } from "../retention.ts";
import { EVICTION_CANDIDATES } from "../session-eviction.ts";
import { defineWrite, type Script } from "./script.ts";

/*
 * The scripts on one subject. Its keys are in one slot: the cut-off, a sorted set of its session ids by absolute expiry,
 * and a sorted set of those that have not ended, by the time of their login. An id is listed in both before its session
 * is created, so no cut-off misses the session.
 *
 * A negative score in the second set is the time at which a login chose the session for eviction. Only that login ends
 * the session.
 */
const EXTEND = `local function extend(key, ms)
  if redis.call('PTTL', key) < ms then redis.call('PEXPIRE', key, ms) end
end
`;

/** A login that chose a session this long ago has stopped before it ended the session. */
const STALE_CLAIM_MS = 20_000;

/**
 * Fills the second set from the first one, because earlier versions had no second set. They kept no time of the login, so
 * the sessions are placed in the order of their expiry, before now.
 */
const FILL = `
if redis.call('EXISTS', KEYS[3]) == 0 then
  local latest = tonumber(redis.call('ZREVRANGE', KEYS[2], 0, 0, 'WITHSCORES')[2] or '0')
  if latest > now then
    local listed = redis.call('ZRANGEBYSCORE', KEYS[2], '(' .. now, '+inf', 'WITHSCORES')
    for i = 1, #listed, 2 do
      redis.call('ZADD', KEYS[3], string.format('%.0f', listed[i + 1] - latest + now), listed[i])
    end
    redis.call('PEXPIRE', KEYS[3], math.max(1, redis.call('PTTL', KEYS[2])))
  end
end
`;

const OPEN_COUNT = `redis.call('ZCOUNT', KEYS[3], '(0', '+inf')`;

/**
 * Arguments: id, authAt, absolute expiry. Returns {now, 1} when it is cut off. Otherwise {now, 0, at, before, number of
 * listed sessions}.
 */
export const listSession: Script = defineWrite(`${EXTEND}
local at, covered = unpack(redis.call('HMGET', KEYS[1], 'at', 'before'))
if at and tonumber(ARGV[3]) <= tonumber(at) then return {now, 1} end
${FILL}
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now - ${EXPIRED_RETENTION_MS})
redis.call('ZADD', KEYS[2], ARGV[4], ARGV[2])
redis.call('ZADD', KEYS[3], ARGV[3], ARGV[2])
for i = 2, 3 do extend(KEYS[i], ARGV[4] - now + ${EXPIRED_RETENTION_MS}) end
return {now, 0, at, covered, ${OPEN_COUNT}}`);

/** Arguments: ids of ended sessions. Their scores become now, so that a login a day later removes them. */
export const delistSessions: Script = defineWrite(`
for i = 2, #ARGV do
  redis.call('ZADD', KEYS[2], 'XX', 'LT', now, ARGV[i])
  redis.call('ZREM', KEYS[3], ARGV[i])
end`);

/**
 * Arguments: limit, and the position after which the page begins, as score and id ('' for the first page). Returns {now,
 * id, score, id, score, …}.
 */
export const pageOfSessions: Script = defineWrite(`${FILL}
local offset, limit, score, id = 0, tonumber(ARGV[2]), ARGV[3], ARGV[4]
if score ~= '' then
  offset = redis.call('ZCOUNT', KEYS[3], '(' .. score, '+inf')
  for _, other in ipairs(redis.call('ZREVRANGEBYSCORE', KEYS[3], score, score)) do
    if other >= id then offset = offset + 1 end
  end
end
return {now, unpack(redis.call('ZREVRANGE', KEYS[3], offset, offset + limit - 1, 'WITHSCORES'))}`);

/** Argument: the bound. Returns {now, excess, id, login, id, login, …} of the sessions that may be evicted. */
export const evictableSessions: Script = defineWrite(`
for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[3], '(' .. (${STALE_CLAIM_MS} - now), '(0')) do
  redis.call('ZADD', KEYS[3], 'XX', 1, id)
end
local excess = ${OPEN_COUNT} - ARGV[2]
if excess <= 0 then return {now, 0} end
return {now, excess, unpack(redis.call('ZRANGEBYSCORE', KEYS[3], '(0', '+inf', 'WITHSCORES', 'LIMIT', 0,
  ${EVICTION_CANDIDATES + 1}))}`);

/** Arguments: the bound, the most sessions to choose, and ids by preference. Returns the ids that it chose. */
export const claimSessions: Script = defineWrite(`
local wanted, claimed = math.min(${OPEN_COUNT} - ARGV[2], tonumber(ARGV[3])), {}
for i = 4, #ARGV do
  if #claimed >= wanted then break end
  if tonumber(redis.call('ZSCORE', KEYS[3], ARGV[i]) or '0') > 0 then
    redis.call('ZADD', KEYS[3], string.format('%.0f', -now), ARGV[i])
    claimed[#claimed + 1] = ARGV[i]
  end
end
return claimed`);

/** Arguments: lowest `before`, until, moment ('' for now). Returns {moment, before, ids}. */
export const cutOffSubject: Script = defineWrite(`${EXTEND}
local at, covered = unpack(redis.call('HMGET', KEYS[1], 'at', 'before'))
local moment = tonumber(ARGV[4]) or now
local before = math.max(tonumber(ARGV[2]), math.ceil(moment / 1000), tonumber(covered) or 0)
moment = math.max(moment, tonumber(at) or 0)
redis.call('HSET', KEYS[1], 'at', moment, 'before', before)
extend(KEYS[1], ARGV[3] - now + ${EXPIRED_RETENTION_MS})
return {moment, before, redis.call('ZRANGE', KEYS[2], 0, -1)}`);
