import type { Clock } from "../../core/clock.ts";
import type { Store } from "../store.ts";
import { createAttemptStore } from "./attempts.ts";
import type { RedisConnection } from "./connection.ts";
import type { DurabilityMonitor } from "./durability-monitor.ts";
import { LostWriteRecovery } from "./lost-writes.ts";
import { LogReader } from "./log-reader.ts";
import { createAuditPart, createMarkerStore } from "./records.ts";
import { RedisRevocationLog } from "./revocations.ts";
import { readTime, readWritableTime, type Manifest } from "./manifest.ts";
import { createSessionPart } from "./sessions.ts";
import { createKeyPart, type KeyPart } from "./signing-keys.ts";
import { createUserPart, type UserPart } from "./users.ts";

/** The connection and settings that the parts of the store use. */
export interface RedisStoreParts {
  readonly connection: RedisConnection;
  readonly manifest: Manifest;
  readonly prefix: string;
  readonly description: string;
  readonly clock: Clock;
  readonly isCluster: boolean;
  readonly durability: DurabilityMonitor;
  /** Opens a separate connection for blocking reads. */
  readonly openReader: () => Promise<RedisConnection>;
}

/** A store and its background work. */
export interface AssembledStore {
  readonly store: Store;
  /** Called when acknowledged writes may have been lost. */
  readonly restoreLost: () => Promise<void>;
  readonly durability: DurabilityMonitor;
}

/** Creates all parts of the store. */
export function assembleStore(parts: RedisStoreParts): AssembledStore {
  const { connection, manifest, prefix, description, clock, isCluster, durability, openReader } = parts;
  const requireStore = async () => Number(await manifest.runHashScript(readTime));
  const reader = new LogReader({ open: openReader, logKey: manifest.logKey, seq: manifest.seq, clock });
  const log: RedisRevocationLog = new RedisRevocationLog({
    manifest,
    description,
    clock,
    publish: (entries) => reader.publish(entries),
    endAgain: async (entry) => await sessions.endAgain(entry),
  });
  const append = async (revocation: Parameters<RedisRevocationLog["append"]>[0]) =>
    await log.append(revocation);
  const sessions = createSessionPart({
    connection,
    prefix,
    clock,
    isCluster,
    appendToLog: append,
    requireStore,
  });
  const audit = createAuditPart(connection, prefix);
  const users = createUserPart({ connection, prefix, clock, requireStore });
  const keys = createKeyPart(manifest, clock);
  const recovery = createRecovery(parts, log, users, keys);
  const store: Store = {
    get description() {
      return `${description} (${durability.summary})`;
    },
    get problem() {
      return durability.problem;
    },
    users: users.store,
    sessions: sessions.store,
    keys: keys.store,
    revocations: {
      append: sessions.append,
      after: async (position) => await log.after(position),
      snapshot: async () => await log.snapshot(),
      snapshotPage: async (cursor) => await log.snapshotPage(cursor),
      subscribe: (listener) => reader.subscribe(listener),
    },
    audit: audit.store,
    markers: createMarkerStore(manifest),
    attempts: createAttemptStore(connection, prefix, isCluster),
    now: async () => Number(await manifest.runHashScript(readWritableTime)),
    async prune() {
      await log.prune();
      await audit.prune();
    },
    async close() {
      durability.close();
      recovery.close();
      await log.close();
      await reader.close();
      await connection.close();
    },
  };
  return { store, durability, restoreLost: async () => await recovery.run() };
}

function createRecovery(
  { description, clock }: RedisStoreParts,
  log: RedisRevocationLog,
  users: UserPart,
  keys: KeyPart,
): LostWriteRecovery {
  return new LostWriteRecovery(description, clock, [
    { what: "sessions that had ended", restoreOnce: async (tell) => await log.endSessionsAgain(tell) },
    { what: "revocations", restoreOnce: async (tell) => await log.appendAgain(tell) },
    { what: "changes of users", restoreOnce: users.restoreOnce },
    { what: "changes of signing keys", restoreOnce: keys.restoreOnce },
  ]);
}
