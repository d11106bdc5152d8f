import { systemClock } from "../../core/clock.ts";
import type { SessionRecord } from "../store.ts";
import type { StoreDump } from "../dump.ts";
import { EXPIRED_RETENTION_MS } from "../retention.ts";
import { checkDurability, type Durability } from "./durability.ts";
import { toStoreError } from "./errors.ts";
import type { RedisConnection } from "./connection.ts";
import { openConnection } from "./open-connection.ts";
import { auditKeys, userKeys } from "./records.ts";
import { FORMAT, manifestKeys } from "./manifest.ts";
import { defineRead, defineWrite } from "./script.ts";
import { cutOffSubject, listSession } from "./session-scripts.ts";
import { sessionKeys, subjectKeys, toHashFields } from "./sessions.ts";
import { describeAddress, readAddress, type RedisAddressOptions } from "./address.ts";

/** Commands under way at once, and records in one where order matters. */
const BATCH = 100;

export type RedisImportOptions = RedisAddressOptions & { replicas?: number; durability?: Durability };

/** A database that is being filled with what another store held. Until that is finished it is no store. */
export interface RedisImport {
  /** For people; without credentials. */
  readonly description: string;
  /**
   * `claimed`: it was empty, and is begun with; or filling it with the store `id` was given up before. `finished`: it
   * is that store already. `foreign`: anything else.
   */
  claim(
    id: string,
    epoch: string,
    options: { startIfEmpty: boolean },
  ): Promise<"claimed" | "finished" | "foreign">;
  /** Puts everything in the place of what was there. Returns how many sessions. */
  copy(contents: StoreDump): Promise<number>;
  /** From now on it is the store. */
  finish(id: string): Promise<void>;
  close(): Promise<void>;
}

/** Which store; its epoch; '1' if an empty database may be begun with. */
const claimManifest = defineWrite(`
local filling, id = unpack(redis.call('HMGET', KEYS[1], 'marker:filling', 'marker:id'))
if filling ~= ARGV[2] and redis.call('EXISTS', KEYS[1]) == 1 then
  return not filling and id == ARGV[2] and 'finished' or 'foreign'
end
if not filling and ARGV[4] ~= '1' then return 'foreign' end
redis.call('DEL', KEYS[1], KEYS[2], KEYS[3])
redis.call('HSET', KEYS[1], 'epoch', ARGV[3], 'format', ${FORMAT}, 'seq', 0, 'chain', '', 'beat', 0)
redis.call('HSET', KEYS[1], 'marker:filling', ARGV[2])
redis.call('ZADD', KEYS[3], 'inf', ARGV[3])
return 'claimed'`);

const keyExists = defineRead(`return redis.call('EXISTS', KEYS[1])`);

const setFields = defineWrite(`redis.call('HSET', KEYS[1], unpack(ARGV, 2))`);

/** Sequence number, at, until and entry of each. */
const putEntries = defineWrite(`
for i = 2, #ARGV, 4 do
  redis.call('XADD', KEYS[2], ARGV[i] .. '-0', 'at', ARGV[i + 1], 'entry', ARGV[i + 3])
  redis.call('ZADD', KEYS[3], ARGV[i + 2], ARGV[i + 3])
end`);

const finishManifest = defineWrite(`
if redis.call('HGET', KEYS[1], 'marker:id') ~= ARGV[2] then return redis.error_reply('EMPTIED the store') end
redis.call('HDEL', KEYS[1], 'marker:filling')`);

/** Fixed, state, end when idle, successor or '', end of its grace. */
const putSession = defineWrite(`
redis.call('DEL', KEYS[1], KEYS[2])
local life = ARGV[4] - now + ${EXPIRED_RETENTION_MS}
if life <= 0 then return 0 end
redis.call('HSET', KEYS[1], 'fixed', ARGV[2], 'state', ARGV[3])
redis.call('PEXPIRE', KEYS[1], life)
if ARGV[5] ~= '' and ARGV[6] - now > 0 then redis.call('SET', KEYS[2], ARGV[5], 'PX', ARGV[6] - now) end
return 1`);

const deleteKey = defineWrite(`redis.call('DEL', KEYS[1])`);
const putEvents = defineWrite(`redis.call('LPUSH', KEYS[1], unpack(ARGV, 2))`);

const putUser = defineWrite(`
redis.call('HSET', KEYS[1], ARGV[2], ARGV[4])
redis.call('HSET', KEYS[2], ARGV[3], ARGV[2])
redis.call('ZADD', KEYS[3], 0, ARGV[2])`);

/** Where a service looks by default. Rejects as `redisStore` does. */
export async function openRedisImport(options: RedisImportOptions): Promise<RedisImport> {
  const target = readAddress(options);
  const description = `redis ${describeAddress(target)}`;
  const { replicas = 0, durability = "everysec" } = options;
  const link = await openConnection({
    address: target,
    description,
    clock: systemClock,
    virtual: false,
    random: Math.random,
    openTimeoutMs: 5000,
    // Nobody waits for a single one of them.
    commandTimeoutMs: 2000,
    replicas,
  });
  try {
    const kept = await checkDurability(link, description, durability);
    return createImport(link, "holdfast:", `${description} (${kept})`);
  } catch (error) {
    await link.close();
    throw toStoreError(description, error);
  }
}

function createImport(link: RedisConnection, prefix: string, description: string): RedisImport {
  const root = manifestKeys(prefix);
  const users = userKeys(prefix);
  const audit = auditKeys(prefix);

  async function putOne(session: SessionRecord): Promise<void> {
    const { id, subject, authAt, absoluteExpiresAt, idleExpiresAt, sealedSuccessor, graceEndsAt } = session;
    const rest = [idleExpiresAt, sealedSuccessor ?? "", graceEndsAt ?? 0];
    // Listed first, as always: a list may name a session too many, never one too few.
    if (session.endedAt === null) {
      await link.runScript(listSession, subjectKeys(prefix, subject), [id, authAt, absoluteExpiresAt]);
    }
    await link.runScript(putSession, sessionKeys(prefix, id), [...toHashFields(session), ...rest]);
  }

  return {
    description,
    async claim(id, epoch, { startIfEmpty }) {
      const others = await Promise.all(
        [users, audit].map(async (keys) => await link.runScript(keyExists, keys)),
      );
      const mayBegin = startIfEmpty && !others.includes(1);
      return (await link.runScript(claimManifest, root, [id, epoch, Number(mayBegin)])) as
        | "claimed"
        | "finished"
        | "foreign";
    },
    async copy(contents) {
      await forEachConcurrently(contents.users, async (user) => {
        await link.runScript(putUser, users, [user.username, user.subject, JSON.stringify(user)]);
      });
      await forEachConcurrently(contents.cutoffs, async ({ subject, at, before, until }) => {
        await link.runScript(cutOffSubject, subjectKeys(prefix, subject), [before, until, at]);
      });
      const sessions = await forEachConcurrently(contents.sessions, putOne);
      await link.runScript(deleteKey, audit);
      for (const some of batches(contents.audit)) {
        await link.runScript(
          putEvents,
          audit,
          some.map((event) => JSON.stringify(event)),
        );
      }
      for (const some of batches(contents.log.entries)) {
        const entries = some.map((one) => [one.seq, one.at, one.revocation.until, JSON.stringify(one)]);
        await link.runScript(putEntries, root, entries.flat());
      }
      const { seq, chain } = contents.log.end;
      const markers = contents.markers.flatMap(({ name, value }) => [`marker:${name}`, value]);
      const fields = ["seq", seq, "chain", chain, "keys", JSON.stringify(contents.keys), ...markers];
      await link.runScript(setFields, root, fields);
      return sessions;
    },
    finish: async (id) => void (await link.runScript(finishManifest, root, [id])),
    close: async () => await link.close(),
  };
}

function* batches<T>(items: Iterable<T>): Generator<T[]> {
  let batch: T[] = [];
  for (const item of items) {
    batch.push(item);
    if (batch.length < BATCH) continue;
    yield batch;
    batch = [];
  }
  if (batch.length > 0) yield batch;
}

/** Returns how many there were. */
async function forEachConcurrently<T>(items: Iterable<T>, work: (item: T) => Promise<void>): Promise<number> {
  let count = 0;
  for (const some of batches(items)) {
    await Promise.all(some.map(work));
    count += some.length;
  }
  return count;
}
