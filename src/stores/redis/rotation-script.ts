import { EXPIRED_RETENTION_MS } from "../retention.ts";
import { defineWrite, type Script } from "./script.ts";
import {
  CUT_FORMAT,
  formatTime,
  HEAD_LENGTH,
  luaFields,
  luaFormat,
  luaSpan,
  SESSION_FORMAT,
} from "./session-text.ts";

/** A time that is `null`. */
const ZERO_TIME = formatTime(null);
/** How many arguments a rotation has. */
const ARGUMENTS = 5;

/**
 * `decideRotation` of ../refresh-rotation.ts in Lua, for several sessions; a property test compares the two. A cut-off
 * need not be read here, because it has ended the session. The script does not end a session on reuse: the session ends
 * after the log entry.
 *
 * The arguments of each key are those of `rotationArguments`. The reply is the store's time, then the outcome and the
 * session for each key. The outcome `other` stands for a key with no string of this format. The outcome
 * `damaged` stands for a string with damaged fields, and leaves the other rotations of the call as they are.
 *
 * Most of the time of a rotation is spent in the server, so the script takes all fields with one call. It compares
 * fields as texts and copies texts where that is possible. Lua converts a text to a number in arithmetic.
 */
export const rotateSessions: Script = defineWrite(`
local sub, format = string.sub, string.format
local nowText = format('${luaFormat("rotatedAt")}', now)
-- The sessions of an issuer have the same durations, so their texts are made once for all rotations of the call.
local lostMs, lostText, lifeMs, newIdleAt, newIdleText, lifeText
-- Returns the outcome, the session, and its life in ms if the session changed.
local function rotate(key, generation, presented, parts, lostAnswerMs, times)
  local v = redis.pcall('GET', key)
  if not v then return 'unknown', '' end
  if type(v) == 'table' then return 'other', '' end
  if #v < ${HEAD_LENGTH} then return sub(v, 1, 1) == '${CUT_FORMAT}' and 'unknown' or 'other', '' end
  local form, stored, rotatedAt, idleMs, idle, absolute, lostAnswerEndsAt, arrived, previousArrived, rolled, ended, iat,
    streak, repeated, reasonLength, currentLength, previousLength, sealedLength = struct.unpack('${luaFields}', v)
  if form ~= '${SESSION_FORMAT}' then return 'other', '' end
  local behind = stored == generation and 0 or stored - generation
  if ended ~= '${ZERO_TIME}' or now >= absolute + 0 then return 'ended', v end
  if now >= idle + 0 and (behind >= 0 or now >= sub(times, 27, 39) + 0) then return 'ended', v end
  -- A session that has not ended has no reason.
  local previousAt = ${HEAD_LENGTH + 1} + currentLength
  local sealedAt = previousAt + previousLength
  local factsAt = sealedAt + sealedLength
  if behind < 0 or behind == 0 and presented == sub(v, ${HEAD_LENGTH + 1}, previousAt - 1) then
    if lostAnswerMs ~= lostMs then
      lostMs, lostText = lostAnswerMs, format('${luaFormat("lostAnswerEndsAt")}', now + lostAnswerMs)
    end
    if idleMs ~= lifeMs then
      lifeMs, newIdleAt = idleMs, now + idleMs
      newIdleText = format('${luaFormat("idleExpiresAt")}', newIdleAt)
      lifeText = format('%d', idleMs + ${EXPIRED_RETENTION_MS})
    end
    local newIdle, life = newIdleText, lifeText
    if newIdleAt > absolute + 0 then
      newIdle, life = absolute, format('%d', absolute - now + ${EXPIRED_RETENTION_MS})
    end
    if behind < 0 then arrived, rolled = nowText, nowText end
    v = format('${SESSION_FORMAT}${luaFormat("generation")}', generation + 1) .. nowText .. idleMs .. newIdle .. absolute
      .. lostText .. '${ZERO_TIME}' .. (arrived == '${ZERO_TIME}' and nowText or arrived) .. rolled .. '${ZERO_TIME}'
      .. (now < iat * 1000 and iat or sub(nowText, 1, 10)) .. (repeated == '1' and streak or '0000') .. '000'
      .. parts .. sub(v, factsAt)
    return behind < 0 and 'resumed' or 'rotated', v, life
  end
  if behind == 0 then return 'forked', v end
  local conflictMs = sub(times, 1, 13)
  if behind == 1 then
    if presented ~= sub(v, previousAt, sealedAt - 1) then return 'forked', v end
    if arrived == '${ZERO_TIME}' then
      if now >= lostAnswerEndsAt + 0 then return 'late', v end
      if sealedAt == factsAt then return 'conflict', v end
      local newIat = math.max(math.floor(now / 1000), iat + 0)
      if repeated == '0' or newIat > iat + 0 then
        v = sub(v, ${luaSpan(null, "endedAt")})
          .. format('${luaFormat("issuedAtS", "wasRepeated")}', newIat, math.min(9999, streak + 1 - repeated), 1)
          .. sub(v, ${luaSpan("reasonLength", null)})
        return 'repeated', v, format('%d', idle - now + ${EXPIRED_RETENTION_MS})
      end
      return 'repeated', v
    end
    if now < arrived + conflictMs then return 'conflict', v end
  else
    if behind == 2 and previousArrived ~= '${ZERO_TIME}' and now < previousArrived + conflictMs then
      return 'conflict', v
    end
    local issuedAt = sub(times, 14, 26)
    if rolled ~= '${ZERO_TIME}' and (issuedAt == '${ZERO_TIME}' or issuedAt + 0 <= rolled + 0) then return 'forked', v end
  end
  return 'reuse', v
end
local replies = {now}
for i = 1, #KEYS do
  local a = i * ${ARGUMENTS} - ${ARGUMENTS - 2}
  local isRead, outcome, v, life = pcall(rotate, KEYS[i], ARGV[a], ARGV[a + 1], ARGV[a + 2], ARGV[a + 3], ARGV[a + 4])
  -- Only a damaged session has a life that is not positive, and Redis refuses that.
  if not isRead or life and life + 0 <= 0 then outcome, v, life = 'damaged', '', nil end
  -- The server can refuse this write, so it is outside of pcall.
  if life then redis.call('SET', KEYS[i], v, 'PX', life) end
  replies[i * 2], replies[i * 2 + 1] = outcome, v
end
return replies`);
