import { EXPIRED_RETENTION_MS } from "../retention.ts";
import { EVICTION_CANDIDATES } from "../session-eviction.ts";
import { defineWrite, type Script } from "./script.ts";

/*
 * The scripts on one subject. Its keys are in one slot: the cut-off, a sorted set of its session ids by absolute expiry,
 * and a sorted set of those that have not ended, by the time of their login. An id is listed in both before its session
 * is created, so no cut-off misses the session.
 *
 * The score 0 in the second set marks a session that has ended. A negative score is the time at which a login chose the
 * session for eviction. Only that login ends the session.
 *
 * The hash of the cut-off also has the greatest mark of a listed session. The next number exceeds it even if the clock
 * of the server was set back. A process of an older version records a cut-off without a number, and its moment then
 * stands for the number.
 */
const CUTOFF = `local function extend(key, ms)
  if redis.call('PTTL', key) < ms then redis.call('PEXPIRE', key, ms) end
end
local at, covered, number, seen = unpack(redis.call('HMGET', KEYS[1], 'at', 'before', 'number', 'mark'))
number, seen = math.max(tonumber(number) or 0, at and at + 1 or 0), tonumber(seen) or 0
`;

/** The most expired sessions that a login takes off the lists. */
const MAX_ERASED = 1000;

/** A login that chose a session this long ago has stopped before it ended the session. */
const STALE_CLAIM_MS = 20_000;

/** The sessions that are compared at once. */
const COMPARED = 100;
/** A page of a list compares more parts than a login, because it must not omit a session. */
const PARTS = { login: 1, page: 10 };

/**
 * Adds the sessions of earlier versions to the second set, because those versions list a session in the first one alone.
 * The sets are compared id by id: the second set also has sessions that have expired, so its length says nothing. A
 * subject can have thousands of sessions, so only some parts are compared at once. The first part has the latest expiry.
 * The others follow in turn, and the hash of the cut-off has the rank of the next one. After a part that misses an id the
 * next one is compared too. Earlier versions kept no time of the login, so the sessions are placed in the order of their
 * expiry, before now.
 */
const fill = (parts: number) => `
local latest, added = nil, 0
-- Returns whether sessions follow that have not expired, and whether the part missed an id.
local function compare(rank)
  local listed, missed = redis.call('ZREVRANGE', KEYS[2], rank, rank + ${COMPARED - 1}, 'WITHSCORES'), false
  latest = latest or tonumber(listed[2])
  for i = 1, #listed, 2 do
    if tonumber(listed[i + 1]) <= now then return false, missed end
    if not redis.call('ZSCORE', KEYS[3], listed[i]) then
      redis.call('ZADD', KEYS[3], string.format('%.0f', listed[i + 1] - latest + now), listed[i])
      added, missed = added + 1, true
    end
  end
  return #listed == ${2 * COMPARED}, missed
end
local rank, goesOn, missed = 0, true, true
while goesOn and missed do
  goesOn, missed = compare(rank)
  rank = rank + ${COMPARED}
end
if goesOn then
  rank = math.max(rank, tonumber(redis.call('HGET', KEYS[1], 'compared')) or 0)
  local last = rank + ${COMPARED} * ${parts}
  while goesOn and (rank < last or missed) do
    goesOn, missed = compare(rank)
    rank = rank + ${COMPARED}
  end
  redis.call('HSET', KEYS[1], 'compared', goesOn and rank or 0)
  if redis.call('PTTL', KEYS[1]) < 0 then redis.call('PEXPIRE', KEYS[1], math.max(1, redis.call('PTTL', KEYS[2]))) end
end
if added > 0 then redis.call('PEXPIRE', KEYS[3], math.max(1, redis.call('PTTL', KEYS[2]))) end
`;

const OPEN_COUNT = `redis.call('ZCOUNT', KEYS[3], '(0', '+inf')`;

/**
 * Arguments: id, authAt, absolute expiry, mark, and '1' for a session that exists already. Returns {now, '', number of
 * listed sessions}. Returns {now, number} when the session is superseded: a later session with that number as its mark is
 * not. A mark in the future is superseded unless it is the number of the cut-off, because the clock was set back since. A
 * later cut-off could then have a lower number.
 */
export const listSession: Script = defineWrite(`${CUTOFF}
local mark = tonumber(ARGV[5])
if not ARGV[6] and (mark < number or mark > now and mark ~= number) then
  return {now, string.format('%.0f', math.max(number, now))}
end
${fill(PARTS.login)}
redis.call('ZADD', KEYS[2], ARGV[4], ARGV[2])
redis.call('ZADD', KEYS[3], ARGV[3], ARGV[2])
-- No set is empty in between, because a cluster that moves the slot would refuse to create it again.
local expired = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', now - ${EXPIRED_RETENTION_MS}, 'LIMIT', 0, ${MAX_ERASED})
if #expired > 0 then
  for i = 2, 3 do redis.call('ZREM', KEYS[i], unpack(expired)) end
end
if mark > seen then redis.call('HSET', KEYS[1], 'mark', ARGV[5]) end
for i = 1, 3 do extend(KEYS[i], ARGV[4] - now + ${EXPIRED_RETENTION_MS}) end
return {now, '', ${OPEN_COUNT}}`);

/**
 * Arguments: ids of ended sessions. Their scores become now, so that a login a day later removes them. The last id stays in
 * the second set with the score 0, because a cluster that moves the slot runs no script on a set that does not exist.
 */
export const delistSessions: Script = defineWrite(`
for i = 2, #ARGV do
  redis.call('ZADD', KEYS[2], 'XX', 'LT', now, ARGV[i])
  if redis.call('ZCOUNT', KEYS[3], '-inf', '+inf') > 1 then redis.call('ZREM', KEYS[3], ARGV[i])
  else redis.call('ZADD', KEYS[3], 'XX', 0, ARGV[i]) end
end`);

/**
 * Arguments: limit, and the position after which the page begins, as score and id ('' for the first page). Returns {now,
 * id, score, id, score, …}.
 */
export const pageOfSessions: Script = defineWrite(`${fill(PARTS.page)}
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

/**
 * Arguments: lowest `before`, until, moment ('' for now), number ('' for the next one). Returns {moment, before, number,
 * ids}.
 */
export const cutOffSubject: Script = defineWrite(`${CUTOFF}
local moment = tonumber(ARGV[4]) or now
local before = math.max(tonumber(ARGV[2]), math.ceil(moment / 1000), tonumber(covered) or 0)
moment = math.max(moment, tonumber(at) or 0)
number = math.max(number, tonumber(ARGV[5]) or math.max(now, number, seen) + 1)
redis.call('HSET', KEYS[1], 'at', moment, 'before', before, 'number', string.format('%.0f', number))
extend(KEYS[1], ARGV[3] - now + ${EXPIRED_RETENTION_MS})
return {moment, before, number, redis.call('ZRANGE', KEYS[2], 0, -1)}`);
