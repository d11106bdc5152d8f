import { EXPIRED_RETENTION_MS } from "../retention.ts";
import { defineRead, defineWrite, type Script } from "./script.ts";
import { CUT_FORMAT, HEAD_LENGTH, luaFormat, luaSpan, SESSION_FORMAT } from "./session-text.ts";

/*
 * The scripts on one session, whose string session-text.ts describes. They return {outcome, now, session, sealed
 * successor}. Earlier versions kept a hash of two JSON texts and the sealed successor in the second key. The scripts
 * read such a hash, and write a string in its place.
 */
const NULLS = `local function ms(value) return value ~= cjson.null and value or 0 end
  local function text(value) return value ~= cjson.null and value or '' end`;

/** Sets `v` to the session, `nil` when it does not exist, and `cutAt` to the cut-off that reached it before. */
const LOAD = `
local sub, number, format, call = string.sub, tonumber, string.format, redis.call
local v, cutAt, wasHash = redis.pcall('GET', KEYS[1]), nil, false
if type(v) == 'table' then
  if not v.err or not string.find(v.err, 'WRONGTYPE', 1, true) then return v end
  local fixed, state
  fixed, state, cutAt = unpack(call('HMGET', KEYS[1], 'fixed', 'state', 'cutAt'))
  wasHash, v, cutAt = true, nil, cutAt and number(cutAt)
  if fixed then
  local s = cjson.decode(state)
  ${NULLS}
  local sealed = call('GET', KEYS[2]) or ''
  local older = ms(s.olderGraceEndsAt)
  local reason, current, previous = text(s.endReason), s.currentDigest, text(s.previousDigest)
  v = format('${SESSION_FORMAT}${luaFormat("generation", "sealedLength")}', s.generation, s.rotatedAt,
    math.max(1, s.idleExpiresAt - s.rotatedAt), s.idleExpiresAt, s.absoluteExpiresAt, ms(s.graceEndsAt), 0,
    older == 0 and 0 or math.max(s.rotatedAt, older - 30000), 0, ms(s.endedAt), s.issuedAtS, s.graceStreak,
    s.graceHit and 1 or 0, #reason, #current, #previous, #sealed)
    .. reason .. current .. previous .. sealed .. fixed
  end
elseif not v then v = nil
elseif sub(v, 1, 1) == '${CUT_FORMAT}' then v, cutAt = nil, number(sub(v, 2))
elseif sub(v, 1, 1) ~= '${SESSION_FORMAT}' then
  return redis.error_reply('NEWER the session was written by a newer version')
end
local function save(session, life)
  call('SET', KEYS[1], session, 'PX', math.max(1, life + ${EXPIRED_RETENTION_MS}))
  if wasHash then call('DEL', KEYS[2]) end
end
`;

/** A time that is `null`. */
const ZERO_TIME = "0".repeat(13);

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
if cutAt and number(ARGV[2]) <= cutAt then return {'superseded', format('%d', cutAt)} end
save(ARGV[4], ARGV[3] - ${EXPIRED_RETENTION_MS})
return {'created'}`);

/**
 * `decideRotation` of ../refresh-rotation.ts in Lua; a property test compares the two. A cut-off need not be read here,
 * because it has ended the session. The script does not end a session on reuse: the session ends after the log entry.
 */
export const rotateSession: Script = defineWrite(`${SESSION}
local presented, successor, newSealed, lostAnswerMs, conflictMs = ARGV[3], ARGV[4], ARGV[5], ARGV[6], ARGV[7]
local issuedAt, expiresAt = number(ARGV[8]), number(ARGV[9])
local behind = ${place("generation")} - ARGV[2]
if ended == 0 and not live and now < absolute then live = behind < 0 and expiresAt and now < expiresAt end
if not live then return {'ended', now, v} end
${PARTS}
local arrived, rolled, iat = ${place("arrivedAt")}, ${place("rolledBackAt")}, ${place("issuedAtS")}
local newIat = math.max(math.floor(now / 1000), iat)
if behind < 0 or behind == 0 and presented == current then
  if behind < 0 then arrived, rolled = 0, now end
  idle = math.min(now + ${place("idleMs")}, absolute)
  local wasRepeated = ${place("wasRepeated")} == 1
  v = format('${SESSION_FORMAT}${luaFormat("generation", "rotatedAt")}%s${luaFormat("idleExpiresAt")}%s${luaFormat("lostAnswerEndsAt")}${ZERO_TIME}${luaFormat("previousArrivedAt", "rolledBackAt")}${ZERO_TIME}${luaFormat("issuedAtS", "repeatStreak")}000${luaFormat("currentLength", "sealedLength")}',
    ARGV[2] + 1, now, sub(v, ${luaSpan("idleMs")}), idle, sub(v, ${luaSpan("absoluteExpiresAt")}),
    now + lostAnswerMs, arrived == 0 and now or arrived, rolled, newIat,
    wasRepeated and ${place("repeatStreak")} or 0, #successor, #presented, #newSealed)
    .. successor .. presented .. newSealed .. sub(v, at)
  save(v, idle - now)
  return {behind < 0 and 'resumed' or 'rotated', now, v}
end
if behind == 0 then return {'forked', now, v} end
if behind == 1 then
  if presented ~= sub(v, previousAt, sealedAt - 1) then return {'forked', now, v} end
  if arrived == 0 then
    if now >= ${place("lostAnswerEndsAt")} then return {'late', now, v} end
    if sealedAt == at then return {'conflict', now, v} end
    local sealed = sub(v, sealedAt, at - 1)
    local wasRepeated, streak = ${place("wasRepeated")}, ${place("repeatStreak")}
    if wasRepeated == 0 or newIat ~= iat then
      v = sub(v, ${luaSpan(null, "endedAt")})
        .. format('${luaFormat("issuedAtS", "wasRepeated")}', newIat, math.min(9999, streak + 1 - wasRepeated), 1)
        .. sub(v, ${luaSpan("reasonLength", null)})
      save(v, idle - now)
    end
    return {'repeated', now, v, sealed}
  end
  if now < arrived + conflictMs then return {'conflict', now, v} end
else
  local previousArrived = ${place("previousArrivedAt")}
  if behind == 2 and previousArrived > 0 and now < previousArrived + conflictMs then return {'conflict', now, v} end
  if rolled > 0 and (not issuedAt or issuedAt <= rolled) then return {'forked', now, v} end
end
return {'reuse', now, v}`);

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
  local facts = cjson.decode(sub(v, at))
  if facts.subject ~= subject or upTo and facts.authAt > upTo then return {'unknown', now} end
end
if ended ~= 0 then return {'ended', now, v} end
v = format('%s${luaFormat("endedAt")}%s${luaFormat("reasonLength", "sealedLength")}',
  sub(v, ${luaSpan(null, "rolledBackAt")}), now, sub(v, ${luaSpan("issuedAtS", "wasRepeated")}),
  #ARGV[2], 0, 0, 0) .. ARGV[2] .. sub(v, at)
save(v, idle - now)
return {live and 'live' or 'over', now, v}`);
