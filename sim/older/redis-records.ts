import type { SessionRecord } from "../../src/stores/session-store.ts";
import { CUT_FORMAT, parseSession, SESSION_FORMAT } from "../../src/stores/redis/session-text.ts";
import type { RedisServerModel } from "../redis/server.ts";

/** How long after a rotation the version before gave the successor of the token before last again, ms. */
const GRACE_MS = 30_000;

/*
 * The scripts replace a record as a whole, so that no replica has half of it. Each does nothing when the record has changed.
 */

/** Keys: the session, its successor. Arguments: the string, `fixed`, `state`, the sealed successor, and its life in ms. */
const WRITE_SESSION = `
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
local life = redis.call('PTTL', KEYS[1])
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], 'fixed', ARGV[2], 'state', ARGV[3])
redis.call('PEXPIRE', KEYS[1], life)
if ARGV[4] ~= '' then redis.call('SET', KEYS[2], ARGV[4], 'PX', ARGV[5]) end
return 1`;

/** Arguments: the string, the time of the cut-off. */
const WRITE_CUT = `
local life = redis.call('PTTL', KEYS[1])
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], 'cutAt', ARGV[2])
redis.call('PEXPIRE', KEYS[1], life)
return 1`;

/** Keys: the users, their login keys. Arguments: name, record, and the member of the login keys. */
const WRITE_USER = `
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
redis.call('ZREM', KEYS[2], ARGV[3])
return 1`;

/** Key: the log. Arguments: the id, the time and the JSON of each entry. The digests do not cover the number. */
const WRITE_LOG = `
redis.call('DEL', KEYS[1])
for i = 1, #ARGV, 3 do redis.call('XADD', KEYS[1], ARGV[i], 'at', ARGV[i + 1], 'entry', ARGV[i + 2]) end
return 1`;

/** Key: the entries in force. Arguments: the member and the one that takes its place. */
const WRITE_IN_FORCE = `
local score = redis.call('ZSCORE', KEYS[1], ARGV[1])
redis.call('ZREM', KEYS[1], ARGV[1])
redis.call('ZADD', KEYS[1], score, ARGV[2])
return 1`;

/** Whether the version before has written the record under a key. With `isWhole` it leaves out only keys that move. */
type Chooses = (key: string) => boolean;

/** How the records are written. */
export interface OlderRedisRecords {
  /** The wall clock of the server. */
  readonly now: number;
  /** Whether the version before has written all records. */
  readonly isWhole: boolean;
  /** Whether a process of this version has used the store before, and has told others that it has given all users login keys. */
  readonly isMixed: boolean;
  readonly chooses: Chooses;
}

/** Writes records of a server as the version before wrote them. */
export function writeOlderRedisRecords(model: RedisServerModel, how: OlderRedisRecords): void {
  model.keys.now = how.now;
  for (const key of model.keys.names()) {
    const type = model.keys.typeOf(key);
    if (type === "string" && /\{session:[^}]+\}$/.test(key) && how.chooses(key))
      writeSession(model, key, how);
    if (type === "hash" && key.endsWith("}:cutoff") && how.chooses(key)) writeCutoff(model, key);
    if (how.isWhole && how.chooses(key)) writeShared(model, key, how);
  }
}

/** Writes a record that has its older form only where all processes have stopped. */
function writeShared(model: RedisServerModel, key: string, { isMixed }: OlderRedisRecords): void {
  if (key.endsWith("{users}")) writeUsers(model, key);
  if (key.endsWith("{store}:log")) writeLog(model, key);
  if (key.endsWith("{store}:in-force")) writeInForce(model, key);
  // Earlier versions had no list of the sessions that have not ended.
  if (key.endsWith("}:open")) model.execute(["DEL", key]);
  if (key.endsWith("{store}") && !isMixed)
    model.execute(["HDEL", key, "marker:loginNames", "marker:loginNamesSince"]);
}

function run(
  model: RedisServerModel,
  script: string,
  keys: readonly string[],
  args: readonly string[],
): void {
  model.execute(["EVAL", script, String(keys.length), ...keys, ...args]);
}

function readText(model: RedisServerModel, key: string): string {
  return model.keys.read(key, "string")?.text ?? "";
}

function writeSession(model: RedisServerModel, key: string, { now, isWhole }: OlderRedisRecords): void {
  const text = readText(model, key);
  if (text.startsWith(CUT_FORMAT)) {
    run(model, WRITE_CUT, [key], [text, String(Number(text.slice(1)) - 1)]);
    return;
  }
  if (!text.startsWith(SESSION_FORMAT)) return;
  const session = parseSession(Buffer.from(text, "latin1").toString(), now, key);
  const old = toOlderSession(session, now);
  if (old === null) return;
  const { fixed, state, sealed, sealedMs } = old;
  const args = [text, toBytes(JSON.stringify(fixed)), toBytes(JSON.stringify(state)), sealed];
  run(model, WRITE_SESSION, [key, `${key}:successor`], [...args, String(sealedMs)]);
  // The version before lists a session that it creates only in the list of all sessions.
  const open = key.replace(/\{session:[^}]+\}$/, `{subject:${toBytes(session.subject)}}:open`);
  if (!isWhole && model.keys.typeOf(open) === "zset") model.execute(["ZREM", open, session.id]);
}

/** A text as Redis has it, one character for each byte. */
function toBytes(text: string): string {
  return Buffer.from(text).toString("latin1");
}

/**
 * The fields of the hash that the version before kept, from the code that wrote it. It did not know whether a successor
 * had arrived. `null` for a session that the version before could not have: the store was found to have gone back.
 */
function toOlderSession(session: SessionRecord, now: number) {
  const { id, subject, authAt, absoluteExpiresAt, facts, mac, sealedSuccessor, rolledBackAt } = session;
  const { generation, currentDigest, previousDigest, rotatedAt, issuedAtS, idleExpiresAt } = session;
  const { endedAt, endReason, repeatStreak: graceStreak, wasRepeated: graceHit } = session;
  if (rolledBackAt !== null) return null;
  const { lostAnswerEndsAt, arrivedAt, previousArrivedAt } = session;
  const graceEndsAt = arrivedAt === null ? lostAnswerEndsAt : Math.min(lostAnswerEndsAt ?? now, arrivedAt);
  const olderGraceEndsAt = previousArrivedAt === null ? null : previousArrivedAt + GRACE_MS;
  const state = {
    generation,
    currentDigest,
    previousDigest,
    rotatedAt,
    graceEndsAt,
    olderGraceEndsAt,
    issuedAtS,
    idleExpiresAt,
    graceStreak,
    graceHit,
    endedAt,
    endReason,
    absoluteExpiresAt,
  };
  return {
    fixed: { id, subject, authAt, absoluteExpiresAt, facts, mac },
    state,
    sealed: sealedSuccessor ?? "",
    sealedMs: Math.max(1, (graceEndsAt ?? now) - now),
  };
}

/** The version before could not disable a user, and its records have the MAC of a user who is not disabled. */
function writeUsers(model: RedisServerModel, key: string): void {
  const users = [...(model.keys.read(key, "hash") ?? [])];
  for (const [name, record] of users) {
    const { loginKey, disabledAt, ...user } = JSON.parse(record) as Record<string, unknown>;
    if (typeof disabledAt === "number") continue;
    run(
      model,
      WRITE_USER,
      [key, `${key}:logins`],
      [name, JSON.stringify(user), `${String(loginKey)}\0${name}`],
    );
  }
}

/** The version before kept no number, and its moment stands for the number. Other numbers were not written by it. */
function writeCutoff(model: RedisServerModel, key: string): void {
  const cutoff = model.keys.read(key, "hash");
  const [at, number] = [Number(cutoff?.get("at")), Number(cutoff?.get("number"))];
  if (number === at + 1) model.execute(["HDEL", key, "number", "mark"]);
}

function withoutNumber(entry: string): string {
  const { revocation, ...others } = JSON.parse(entry) as { revocation: Record<string, unknown> };
  const { number: _, ...plain } = revocation;
  return JSON.stringify({ ...others, revocation: plain });
}

function writeLog(model: RedisServerModel, key: string): void {
  const entries = model.keys.read(key, "stream")?.entries ?? [];
  const args = entries.flatMap(({ ms, seq, fields }) => [
    `${ms}-${seq}`,
    fields[1] ?? "",
    withoutNumber(fields[3] ?? ""),
  ]);
  if (args.length > 0) run(model, WRITE_LOG, [key], args);
}

function writeInForce(model: RedisServerModel, key: string): void {
  for (const member of (model.execute(["ZRANGE", key, "0", "-1"]) ?? []) as string[]) {
    // The first member is the epoch of the store.
    if (member.startsWith("{")) run(model, WRITE_IN_FORCE, [key], [member, withoutNumber(member)]);
  }
}
