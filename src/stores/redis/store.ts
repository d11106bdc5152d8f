import type { Clock } from "../../core/clock.ts";
import type { Store } from "../store.ts";
import type { RedisConnection } from "./connection.ts";
import { LogReader } from "./log-reader.ts";
import { createAuditPart, createKeyStore, createMarkerStore } from "./records.ts";
import { RedisRevocationLog } from "./revocations.ts";
import { readTime, type Manifest } from "./manifest.ts";
import { createSessionPart } from "./sessions.ts";
import { createUserStore } from "./users.ts";

/** The connection and settings that the parts of the store use. */
export interface RedisStoreParts {
  readonly connection: RedisConnection;
  readonly manifest: Manifest;
  readonly prefix: string;
  readonly description: string;
  readonly clock: Clock;
  /** Opens a separate connection for blocking reads. */
  readonly openReader: () => Promise<RedisConnection>;
}

/** Creates all parts of the store. The caller calls `restoreLost` when acknowledged writes may have been lost. */
export function assembleStore(parts: RedisStoreParts): { store: Store; restoreLost: () => Promise<void> } {
  const { connection, manifest, prefix, description, clock, openReader } = parts;
  const requireStore = async () => Number(await manifest.runScript(readTime));
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
  const sessions = createSessionPart({ connection, prefix, appendToLog: append, requireStore });
  const audit = createAuditPart(connection, prefix);
  const store: Store = {
    description,
    users: createUserStore(connection, prefix, requireStore),
    sessions: sessions.store,
    keys: createKeyStore(manifest),
    revocations: {
      append: sessions.append,
      after: async (position) => await log.after(position),
      snapshot: async () => await log.snapshot(),
      subscribe: (listener) => reader.subscribe(listener),
    },
    audit: audit.store,
    markers: createMarkerStore(manifest),
    now: requireStore,
    async prune() {
      await log.prune();
      await audit.prune();
    },
    async close() {
      await log.close();
      await reader.close();
      await connection.close();
    },
  };
  return { store, restoreLost: async () => await log.restoreLost() };
}
