import type { Store } from "../store.ts";
import { createAttemptPart } from "./attempts.ts";
import type { SqliteConnection } from "./connection.ts";
import { createAuditPart, createKeyStore, createMarkerStore } from "./records.ts";
import { createRevocationPart, type RevocationPart } from "./revocations.ts";
import { createSessionPart } from "./sessions.ts";
import { createUserStore } from "./users.ts";

/** Creates all parts of the store on one connection. */
export function assembleStore(db: SqliteConnection, description: string): Store {
  return assembleWatchedStore(db, description).store;
}

/** A store, and the switch for the entries that other processes append to its log. */
export interface WatchedStore {
  readonly store: Store;
  readonly watch: RevocationPart["watch"];
}

/** Creates all parts of the store on one connection, which has its thread and the clock of the system for itself. */
export function assembleWatchedStore(db: SqliteConnection, description: string): WatchedStore {
  const revocations = createRevocationPart(db);
  const sessions = createSessionPart(db, revocations);
  const audit = createAuditPart(db);
  const attempts = createAttemptPart(db);
  const alive = db.prepare("SELECT count(*) FROM sqlite_schema");
  const store: Store = {
    description,
    users: createUserStore(db),
    sessions: sessions.store,
    keys: createKeyStore(db),
    revocations: {
      ...revocations.feed,
      append: async (revocation) => await db.write((nowMs) => sessions.append(revocation, nowMs)),
    },
    audit: audit.store,
    markers: createMarkerStore(db),
    attempts: attempts.store,
    now: async () =>
      await db.read((nowMs) => {
        alive.get();
        // A store that no longer writes is not healthy.
        db.requireKnownSchema();
        return nowMs;
      }),
    async prune() {
      await sessions.prune();
      await revocations.prune();
      await audit.prune();
      await attempts.prune();
    },
    async close() {
      revocations.watch(false);
      await db.close();
    },
  };
  return { store, watch: revocations.watch };
}
