import { PRUNE_SLACK_MS } from "../retention.ts";
import { reading, writing, type Script } from "./link.ts";

/*
 * A session is a hash that has the fields of its record, '' for null, and beside it, in the same slot, its sealed
 * successor, which ends with grace. Every answer is {outcome, now, record as it was, what changed, successor}.
 * `cutAt` stands in the place of a session that a cut-off met before it was made.
 */
const RECORD = `local raw = redis.call('HGETALL', KEYS[1])
local r = {}
for i = 1, #raw, 2 do r[raw[i]] = raw[i + 1] end
local function before(field) local at = tonumber(r[field]) return at ~= nil and now < at end
local live = r.endedAt == '' and before('idleExpiresAt') and before('absoluteExpiresAt')
`;

export const readSession: Script = reading(`${RECORD}
return {r.id and 'found' or 'unknown', now, raw, {}, redis.call('GET', KEYS[2])}`);

/** authAt, ms to live, then the record. */
export const createSession: Script = writing(`
if redis.call('HEXISTS', KEYS[1], 'id') == 1 then return 'taken' end
local cutAt = tonumber(redis.call('HGET', KEYS[1], 'cutAt'))
if cutAt and tonumber(ARGV[2]) <= cutAt then return 'superseded' end
redis.call('HSET', KEYS[1], unpack(ARGV, 4))
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return 'created'`);

/**
 * `decideRotation` of ../rotation.ts once more; a test holds them to the same answers. There is no cut-off to look
 * at: it ended the session. Reuse is decided here, and ended after the log has it.
 */
export const rotateSession: Script = writing(`${RECORD}
local generation, presented, successor, sealed = tonumber(ARGV[2]), ARGV[3], ARGV[4], ARGV[5]
local idle, grace = tonumber(ARGV[6]), tonumber(ARGV[7])
local function answer(outcome, changed, sealed) return {outcome, now, raw, changed or {}, sealed} end
if not r.id then return answer('unknown') end
if not live then return answer('ended') end
local behind = tonumber(r.generation) - generation
if behind < 0 then return answer('unknown') end
if behind == 0 then
  if presented ~= r.currentDigest then return answer('unknown') end
  local ends = math.min(now + idle, tonumber(r.absoluteExpiresAt))
  local changed = {'generation', generation + 1, 'currentDigest', successor, 'previousDigest', presented,
    'rotatedAt', now, 'graceEndsAt', now + grace, 'olderGraceEndsAt', r.graceEndsAt,
    'issuedAtS', math.max(math.floor(now / 1000), tonumber(r.issuedAtS)), 'idleExpiresAt', ends,
    'graceStreak', r.graceHit == '1' and r.graceStreak or 0, 'graceHit', 0}
  redis.call('HSET', KEYS[1], unpack(changed))
  redis.call('PEXPIRE', KEYS[1], ends - now + ${PRUNE_SLACK_MS})
  redis.call('SET', KEYS[2], sealed, 'PX', math.max(grace, 1))
  return answer('rotated', changed, sealed)
end
if behind == 1 then
  if presented ~= r.previousDigest then return answer('unknown') end
  if before('graceEndsAt') then
    local standing = redis.call('GET', KEYS[2])
    if not standing then return answer('conflict') end
    if r.graceHit == '1' then return answer('repeated', {}, standing) end
    local changed = {'graceHit', 1, 'graceStreak', tonumber(r.graceStreak) + 1}
    redis.call('HSET', KEYS[1], unpack(changed))
    return answer('repeated', changed, standing)
  end
end
if behind == 2 and before('olderGraceEndsAt') then return answer('conflict') end
return answer('reuse')`);

/** Reason; then, for a cut-off, the subject and the moment. What is another's, or began later, stays. */
export const endSession: Script = writing(`${RECORD}
local reason, subject, cutAt = ARGV[2], ARGV[3], tonumber(ARGV[4])
if not r.id and cutAt then
  redis.call('HSET', KEYS[1], 'cutAt', math.max(cutAt, tonumber(r.cutAt or 0)))
  redis.call('PEXPIRE', KEYS[1], ${PRUNE_SLACK_MS})
end
if not r.id or cutAt and (r.subject ~= subject or tonumber(r.authAt) > cutAt) then return {'unknown', now, raw, {}} end
if r.endedAt ~= '' then return {'ended', now, raw, {}} end
local changed = {'currentDigest', '', 'previousDigest', '', 'endedAt', now, 'endReason', reason}
redis.call('HSET', KEYS[1], unpack(changed))
redis.call('DEL', KEYS[2])
return {live and 'live' or 'expired', now, raw, changed}`);

/*
 * A subject's cut-off, and the ids of its sessions by when they are over at the latest, in one slot. An id is listed
 * before its session is made, so no cut-off misses it.
 */
const EXTEND = `local function extend(key, ms)
  if redis.call('PTTL', key) < ms then redis.call('PEXPIRE', key, ms) end
end
`;

/** id, authAt, absolute expiry. Answers {now, whether it is cut off, cut-off}. */
export const listSession: Script = writing(`${EXTEND}
local at, covered = unpack(redis.call('HMGET', KEYS[1], 'at', 'before'))
if at and tonumber(ARGV[3]) <= tonumber(at) then return {now, 1} end
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now - ${PRUNE_SLACK_MS})
redis.call('ZADD', KEYS[2], ARGV[4], ARGV[2])
extend(KEYS[2], tonumber(ARGV[4]) - now + ${PRUNE_SLACK_MS})
return {now, 0, at, covered}`);

export const listedSessions: Script = reading(`return redis.call('ZRANGE', KEYS[2], 0, -1)`);

/** Least `before`, until, moment or '' for now. Answers {moment, before, ids}. */
export const cutOffSubject: Script = writing(`${EXTEND}
local at, covered = unpack(redis.call('HMGET', KEYS[1], 'at', 'before'))
local moment = math.max(tonumber(ARGV[4]) or now, tonumber(at) or 0)
local before = math.max(tonumber(ARGV[2]), math.ceil((tonumber(ARGV[4]) or now) / 1000), tonumber(covered) or 0)
redis.call('HSET', KEYS[1], 'at', moment, 'before', before)
extend(KEYS[1], tonumber(ARGV[3]) - now + ${PRUNE_SLACK_MS})
return {moment, before, redis.call('ZRANGE', KEYS[2], 0, -1)}`);
