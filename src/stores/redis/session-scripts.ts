import { EXPIRED_RETENTION_MS } from "../retention.ts";
import { defineRead, defineWrite, type Script } from "./script.ts";
import { CUT_FORMAT, HEAD_LENGTH, luaFormat, luaSpan, SESSION_FORMAT } from "./session-text.ts";

/*
 * The scripts on one session, whose string session-text.ts describes. Most return {outcome, now,
 * session}. The outcome `damaged` stands for a record that no version has written. Earlier versions kept a hash of two
 * JSON texts and the sealed successor in a second key. The scripts
 * read such a hash, and write a string in its place.
 *
 * A cluster that moves the slot refuses a script with several keys while one of them does not exist. The scripts therefore
 * get the second key only after they have found a hash.
 */

/** The reply of a script that has found a session of an earlier version, and needs its second key. */
export const OLDER_FORM = "older";

const NULLS = `local function ms(value) return value ~= cjson.null and value or 0 end
  local function text(value) return value ~= cjson.null and value or '' end`;

/** Sets `v` to the session, `nil` when it does not exist, and `cutAt` to the number of the cut-off that reached it
 * before. */
const LOAD = `
local sub, number, format, call = string.sub, tonumber, string.format, redis.call
local v, cutAt, wasHash = redis.pcall('GET', KEYS[1]), nil, false
if type(v) == 'table' then
  if not v.err or not string.find(v.err, 'WRONGTYPE', 1, true) then return v end
  if not KEYS[2] then return '${OLDER_FORM}' end
  local fixed, state
  fixed, state, cutAt = unpack(call('HMGET', KEYS[1], 'fixed', 'state', 'cutAt'))
  wasHash, v = true, nil
  -- Earlier versions kept the time of the cut-off, which also covers credentials checked in the same millisecond.
  cutAt = cutAt and cutAt + 1
  if fixed then
  local sealed = call('GET', KEYS[2]) or ''
  local isRead, converted = pcall(function()
  local s = cjson.decode(state)
  ${NULLS}
  local older = ms(s.olderGraceEndsAt)
  local reason, current, previous = text(s.endReason), s.currentDigest, text(s.previousDigest)
  return format('${SESSION_FORMAT}${luaFormat("generation", "sealedLength")}', s.generation, s.rotatedAt,
    math.max(1, s.idleExpiresAt - s.rotatedAt), s.idleExpiresAt, s.absoluteExpiresAt, ms(s.graceEndsAt), 0,
    older == 0 and 0 or math.max(s.rotatedAt, older - 30000), 0, ms(s.endedAt), s.issuedAtS, s.graceStreak,
    s.graceHit and 1 or 0, #reason, #current, #previous, #sealed)
    .. reason .. current .. previous .. sealed .. fixed
  end)
  if not isRead then return {'damaged', now} end
  v = converted
  end
elseif not v then v = nil
elseif sub(v, 1, 1) == '${CUT_FORMAT}' then v, cutAt = nil, number(sub(v, 2))
elseif string.find(v, '^[3-9].') then
  return redis.error_reply('NEWER the session was written by a newer version, or by another program')
elseif sub(v, 1, 1) ~= '${SESSION_FORMAT}' or #v < ${HEAD_LENGTH} or string.find(sub(v, 2, ${HEAD_LENGTH}), '%D') then return {'damaged', now}
end
local function save(session, life)
  call('SET', KEYS[1], session, 'PX', math.max(1, life + ${EXPIRED_RETENTION_MS}))
  if wasHash then call('DEL', KEYS[2]) end
end
`;

const place = (name: Parameters<typeof luaSpan>[0]) => `number(sub(v, ${luaSpan(name)}))`;

const STATE = `
if not v then return {'unknown', now} end
local idle, absolute, ended = ${place("idleExpiresAt")}, ${place("absoluteExpiresAt")}, ${place("endedAt")}
local live = ended == 0 and now < idle and now < absolute
`;

const SESSION = LOAD + STATE;

/** Sets `current` to the current digest, and `previousAt`, `sealedAt` and `at` to where the next parts begin. */
const PARTS = `
local currentAt = ${HEAD_LENGTH + 1} + ${place("reasonLength")}
local previousAt = currentAt + ${place("currentLength")}
local sealedAt = previousAt + ${place("previousLength")}
local at = sealedAt + ${place("sealedLength")}
local current = sub(v, currentAt, previousAt - 1)
`;

export const readSession: Script = defineRead(`${SESSION}
return {live and 'live' or 'over', now, v}`);

/** Arguments: mark, lifetime in ms, the session. */
export const createSession: Script = defineWrite(`${LOAD}
if v then return {'taken'} end
if cutAt and number(ARGV[2]) < cutAt then return {'superseded', format('%d', cutAt)} end
save(ARGV[4], ARGV[3] - ${EXPIRED_RETENTION_MS})
return {'created'}`);

/**
 * Replaces a session of an earlier version by a string. Returns 'converted', or {'unknown', now} when no session exists.
 * Fails when a newer version or another program wrote the key.
 */
export const convertSession: Script = defineWrite(`${SESSION}
if wasHash then save(v, idle - now) end
return 'converted'`);

/** `acknowledgeSuccessor` of ../refresh-rotation.ts in Lua. Arguments: generation, digest ('' for any). */
export const acknowledgeSession: Script = defineWrite(`${SESSION}
if not live or ${place("generation")} ~= number(ARGV[2]) or ${place("arrivedAt")} ~= 0 then return 'unchanged' end
${PARTS}
if previousAt == sealedAt or ARGV[3] ~= '' and ARGV[3] ~= current then return 'unchanged' end
local head = format('%s${luaFormat("arrivedAt")}%s${luaFormat("sealedLength")}',
  sub(v, ${luaSpan(null, "lostAnswerEndsAt")}), now,
  sub(v, ${luaSpan("previousArrivedAt", "previousLength")}), 0)
save(head .. sub(v, currentAt, sealedAt - 1) .. sub(v, at), idle - now)
return 'acknowledged'`);

/**
 * Arguments: reason; for a cut-off also its subject, its number, and the last `authAt` that it covers ('' for any).
 * Leaves a session of another subject unchanged.
 */
export const endSession: Script = defineWrite(`${LOAD}
local subject, cut, upTo = ARGV[3], number(ARGV[4]), number(ARGV[5])
if cut and not v then save(format('${CUT_FORMAT}%d', math.max(cut, cutAt or 0)), 0) end
${STATE}
${PARTS}
if cut then
  local _, facts = pcall(cjson.decode, sub(v, at))
  if type(facts) ~= 'table' then return {'damaged', now} end
  if facts.subject ~= subject or upTo and facts.authAt > upTo then return {'unknown', now} end
end
if ended ~= 0 then return {'ended', now, v} end
v = format('%s${luaFormat("endedAt")}%s${luaFormat("reasonLength", "sealedLength")}',
  sub(v, ${luaSpan(null, "rolledBackAt")}), now, sub(v, ${luaSpan("issuedAtS", "wasRepeated")}),
  #ARGV[2], 0, 0, 0) .. ARGV[2] .. sub(v, at)
save(v, idle - now)
return {live and 'live' or 'over', now, v}`);

/**
 * Replaces a damaged record by an ended session, which stays as long as the record would. Arguments: the session, and its
 * life in ms if the record has no end.
 */
export const discardSession: Script = defineWrite(`
local left = redis.call('PTTL', KEYS[1])
if left ~= -2 then redis.call('SET', KEYS[1], ARGV[2], 'PX', left > 0 and left or ARGV[3]) end
return 'discarded'`);
