import { EXPIRED_RETENTION_MS } from "../retention.ts";
import { defineRead, defineWrite, type Script } from "./script.ts";

/*
 * A session is a hash of two JSON texts: `fixed` never changes, and `state` does. The field `cutAt` stands for a
 * session that a cut-off reached before it was created. The sealed successor is a separate key in the same slot, and
 * expires with the grace period. The scripts return {outcome, now, fixed, state, successor}.
 */
const SESSION = `local fixed, state = unpack(redis.call('HMGET', KEYS[1], 'fixed', 'state'))
if not fixed then return {'unknown', now} end
local s = cjson.decode(state)
local null = cjson.null
local live = s.endedAt == null and now < s.idleExpiresAt and now < s.absoluteExpiresAt
local function answer(outcome, successor) return {outcome, now, fixed, state, successor} end
local function save()
  state = cjson.encode(s)
  redis.call('HSET', KEYS[1], 'state', state)
end
`;

export const readSession: Script = defineRead(`${SESSION}
return answer(live and 'live' or 'over', redis.call('GET', KEYS[2]))`);

/** Arguments: authAt, lifetime in ms, fixed, state. */
export const createSession: Script = defineWrite(`
local made, cutAt = unpack(redis.call('HMGET', KEYS[1], 'fixed', 'cutAt'))
if made then return 'taken' end
if cutAt and tonumber(ARGV[2]) <= tonumber(cutAt) then return 'superseded' end
redis.call('HSET', KEYS[1], 'fixed', ARGV[4], 'state', ARGV[5])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return 'created'`);

/**
 * `decideRotation` of ../refresh-rotation.ts in Lua; a property test compares the two. A cut-off need not be read here,
 * because it has ended the session. The script does not end a session on reuse: the session ends after the log entry.
 */
export const rotateSession: Script = defineWrite(`${SESSION}
local presented, successor, sealed, grace = ARGV[3], ARGV[4], ARGV[5], tonumber(ARGV[7])
local function excused(ends) return ends ~= null and now < ends end
if not live then return answer('ended') end
local behind = s.generation - ARGV[2]
if behind < 0 then return answer('unknown') end
if behind == 0 then
  if presented ~= s.currentDigest then return answer('unknown') end
  s.generation = s.generation + 1
  s.previousDigest, s.currentDigest = presented, successor
  s.rotatedAt = now
  s.olderGraceEndsAt, s.graceEndsAt = s.graceEndsAt, now + grace
  s.issuedAtS = math.max(math.floor(now / 1000), s.issuedAtS)
  s.idleExpiresAt = math.min(now + ARGV[6], s.absoluteExpiresAt)
  s.graceStreak = s.graceHit and s.graceStreak or 0
  s.graceHit = false
  save()
  redis.call('PEXPIRE', KEYS[1], s.idleExpiresAt - now + ${EXPIRED_RETENTION_MS})
  redis.call('SET', KEYS[2], sealed, 'PX', math.max(grace, 1))
  return answer('rotated', sealed)
end
if behind == 1 then
  if presented ~= s.previousDigest then return answer('unknown') end
  if excused(s.graceEndsAt) then
    local standing = redis.call('GET', KEYS[2])
    if not standing then return answer('conflict') end
    if not s.graceHit then
      s.graceHit, s.graceStreak = true, s.graceStreak + 1
      save()
    end
    return answer('repeated', standing)
  end
end
if behind == 2 and excused(s.olderGraceEndsAt) then return answer('conflict') end
return answer('reuse')`);

/**
 * Arguments: reason; for a cut-off also its subject, its moment, and the last `authAt` that it covers ('' for any).
 * Leaves a session of another subject unchanged.
 */
export const endSession: Script = defineWrite(`
local subject, cutAt, upTo = ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5])
if cutAt and redis.call('HEXISTS', KEYS[1], 'fixed') == 0 then
  redis.call('HSET', KEYS[1], 'cutAt', math.max(cutAt, tonumber(redis.call('HGET', KEYS[1], 'cutAt') or 0)))
  redis.call('PEXPIRE', KEYS[1], ${EXPIRED_RETENTION_MS})
end
${SESSION}
local facts = cjson.decode(fixed)
if cutAt and facts.subject ~= subject or upTo and facts.authAt > upTo then return {'unknown', now} end
if s.endedAt ~= null then return answer('ended') end
s.currentDigest, s.previousDigest, s.endedAt, s.endReason = '', null, now, ARGV[2]
save()
redis.call('DEL', KEYS[2])
return answer(live and 'live' or 'over')`);

/*
 * A subject's cut-off, and a sorted set of its session ids by absolute expiry, in one slot. An id is listed before its
 * session is created, so no cut-off misses the session.
 */
const EXTEND = `local function extend(key, ms)
  if redis.call('PTTL', key) < ms then redis.call('PEXPIRE', key, ms) end
end
`;

/** Arguments: id, authAt, absolute expiry. Returns {now, 1} when it is cut off, and {now, 0, at, before} otherwise. */
export const listSession: Script = defineWrite(`${EXTEND}
local at, covered = unpack(redis.call('HMGET', KEYS[1], 'at', 'before'))
if at and tonumber(ARGV[3]) <= tonumber(at) then return {now, 1} end
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now - ${EXPIRED_RETENTION_MS})
redis.call('ZADD', KEYS[2], ARGV[4], ARGV[2])
extend(KEYS[2], ARGV[4] - now + ${EXPIRED_RETENTION_MS})
return {now, 0, at, covered}`);

/** Arguments: ids of ended sessions. Their scores become now, so that a login a day later removes them. */
export const delistSessions: Script = defineWrite(`
for i = 2, #ARGV do redis.call('ZADD', KEYS[2], 'XX', 'LT', now, ARGV[i]) end`);

export const listedSessions: Script = defineRead(`return redis.call('ZRANGE', KEYS[2], 0, -1)`);

/** Arguments: lowest `before`, until, moment ('' for now). Returns {moment, before, ids}. */
export const cutOffSubject: Script = defineWrite(`${EXTEND}
local at, covered = unpack(redis.call('HMGET', KEYS[1], 'at', 'before'))
local moment = tonumber(ARGV[4]) or now
local before = math.max(tonumber(ARGV[2]), math.ceil(moment / 1000), tonumber(covered) or 0)
moment = math.max(moment, tonumber(at) or 0)
redis.call('HSET', KEYS[1], 'at', moment, 'before', before)
extend(KEYS[1], ARGV[3] - now + ${EXPIRED_RETENTION_MS})
return {moment, before, redis.call('ZRANGE', KEYS[2], 0, -1)}`);
