import { systemRandom } from "../../core/entropy.ts";
import { systemClock } from "../../core/clock.ts";
import { readOptions } from "../../core/options.ts";
import type { SessionRecord } from "../session-store.ts";
import type { StoreDump } from "../dump.ts";
import { EXPIRED_RETENTION_MS } from "../retention.ts";
import { checkDurability, defaultReplicas, type Durability } from "./durability.ts";
import { toStoreError } from "./errors.ts";
import type { RedisConnection } from "./connection.ts";
import { openConnection } from "./open-connection.ts";
import { DEFAULT_PREFIX } from "./options.ts";
import { auditKeys } from "./records.ts";
import { putUser, userKeys } from "./users.ts";
import { FORMAT } from "./format.ts";
import { manifestKeys } from "./manifest.ts";
import { defineRead, defineWrite } from "./script.ts";
import { sessionKeys } from "./session-commands.ts";
import { subjectKeys } from "./subject-commands.ts";
import { cutOffSubject, listSession } from "./subject-scripts.ts";
import { formatSession } from "./session-text.ts";
import { checkAccess, redisAccessOptionTable, type RedisAccessOptions } from "./access.ts";
import { describeAddress, readAddress, type RedisAddressOptions } from "./address.ts";

/** Concurrent commands, or records in one command where their order matters. */
const BATCH = 100;

/** Options of `openRedisImport`. */
export type RedisImportOptions = RedisAddressOptions &
  RedisAccessOptions & { replicas?: number; durability?: Durability };

/** Fills a database with the contents of another store. The database is not a usable store until `finish`. */
export interface RedisImport {
  /** Kind and location for people, without credentials. */
  readonly description: string;
  /**
   * Reserves the database for the store `id`. Returns `claimed` when it is empty and may be started, or when an earlier
   * import of the same store was abandoned. Returns `finished` when it already is that store, and `foreign` otherwise.
   */
  claim(
    id: string,
    epoch: string,
    options: { startIfEmpty: boolean },
  ): Promise<"claimed" | "finished" | "foreign">;
  /** Replaces the contents of the database. Returns the number of sessions. */
  copy(contents: StoreDump): Promise<number>;
  /** Makes the database a usable store. */
  finish(id: string): Promise<void>;
  close(): Promise<void>;
}

/** Arguments: id of the store, its epoch, '1' when an empty database may be started. */
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

/** Arguments: seq, at, until and JSON of each entry. */
const putEntries = defineWrite(`
for i = 2, #ARGV, 4 do
  redis.call('XADD', KEYS[2], ARGV[i] .. '-0', 'at', ARGV[i + 1], 'entry', ARGV[i + 3])
  redis.call('ZADD', KEYS[3], ARGV[i + 2], ARGV[i + 3])
end`);

const finishManifest = defineWrite(`
if redis.call('HGET', KEYS[1], 'marker:id') ~= ARGV[2] then return redis.error_reply('EMPTIED the store') end
redis.call('HDEL', KEYS[1], 'marker:filling')`);

/** Arguments: the session, idle expiry. */
const putSession = defineWrite(`
redis.call('DEL', KEYS[1], KEYS[2])
local life = ARGV[3] - now + ${EXPIRED_RETENTION_MS}
if life <= 0 then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'PX', life)
return 1`);

const deleteKey = defineWrite(`redis.call('DEL', KEYS[1])`);
const putEvents = defineWrite(`redis.call('LPUSH', KEYS[1], unpack(ARGV, 2))`);

/** Opens the database for an import under the service's default prefix. Rejects like `redisStore`. */
export async function openRedisImport(options: RedisImportOptions): Promise<RedisImport> {
  const target = readAddress(options);
  const description = `redis ${describeAddress(target)}`;
  const { durability = "everysec", tls, credentials, nodeAddressMap } = options;
  const access = readOptions("redisStore", { tls, credentials, nodeAddressMap }, redisAccessOptionTable);
  checkAccess("redisStore", target, access);
  const connection = await openConnection({
    address: target,
    access,
    description,
    clock: systemClock,
    virtual: false,
    random: systemRandom,
    openTimeoutMs: 5000,
    // No request waits for these commands, so they may take longer than those of a service.
    commandTimeoutMs: 2000,
    replicas: 0,
  });
  try {
    const replicas = options.replicas ?? (await defaultReplicas(connection, target, description));
    connection.setReplicas(replicas, 0);
    const persistence = await checkDurability(connection, description, { durability, replicas });
    return createImport(connection, DEFAULT_PREFIX, `${description} (${persistence})`);
  } catch (error) {
    await connection.close();
    throw toStoreError(description, error);
  }
}

function createImport(connection: RedisConnection, prefix: string, description: string): RedisImport {
  const manifest = manifestKeys(prefix);
  const users = userKeys(prefix);
  const audit = auditKeys(prefix);

  async function putSessionRecord(session: SessionRecord, mark: number): Promise<void> {
    const { id, subject, authAt, absoluteExpiresAt, idleExpiresAt } = session;
    // The session is listed before it exists. A list may name a missing session, but must not lack an existing one.
    if (session.endedAt === null) {
      const args = [id, authAt, absoluteExpiresAt, mark, 1];
      await connection.runScript(listSession, subjectKeys(prefix, subject), args);
    }
    await connection.runScript(putSession, sessionKeys(prefix, id), [formatSession(session), idleExpiresAt]);
  }

  return {
    description,
    async claim(id, epoch, { startIfEmpty }) {
      const otherKeys = await Promise.all(
        [users, audit].map(async (keys) => await connection.runScript(keyExists, keys)),
      );
      const mayStart = startIfEmpty && !otherKeys.includes(1);
      return (await connection.runScript(claimManifest, manifest, [id, epoch, Number(mayStart)])) as
        | "claimed"
        | "finished"
        | "foreign";
    },
    async copy(dump) {
      await forEachConcurrently(dump.users, async (user) => {
        const { username, subject, loginKey } = user;
        const args = [username, subject, JSON.stringify(user), loginKey ?? ""];
        await connection.runScript(putUser, users, args);
      });
      await forEachConcurrently(dump.cutoffs, async ({ subject, at, before, until, number }) => {
        const args = [before, until, at, number];
        await connection.runScript(cutOffSubject, subjectKeys(prefix, subject), args);
      });
      const sessions = await forEachConcurrently(dump.sessions, async (session) => {
        // No session has a greater mark.
        await putSessionRecord(session, dump.lastCutoff);
      });
      await connection.runScript(deleteKey, audit);
      for (const some of batches(dump.audit)) {
        await connection.runScript(
          putEvents,
          audit,
          some.map((event) => JSON.stringify(event)),
        );
      }
      for (const some of batches(dump.log.entries)) {
        const entries = some.map((one) => [one.seq, one.at, one.revocation.until, JSON.stringify(one)]);
        await connection.runScript(putEntries, manifest, entries.flat());
      }
      const { seq, chain } = dump.log.end;
      const markers = dump.markers.flatMap(({ name, value }) => [`marker:${name}`, value]);
      const fields = ["seq", seq, "chain", chain, "keys", JSON.stringify(dump.keys), ...markers];
      await connection.runScript(setFields, manifest, fields);
      return sessions;
    },
    finish: async (id) => void (await connection.runScript(finishManifest, manifest, [id])),
    close: async () => await connection.close(),
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

/** Runs `work` on every item, in concurrent batches. Returns the number of items. */
async function forEachConcurrently<T>(items: Iterable<T>, work: (item: T) => Promise<void>): Promise<number> {
  let count = 0;
  for (const some of batches(items)) {
    await Promise.all(some.map(work));
    count += some.length;
  }
  return count;
}
