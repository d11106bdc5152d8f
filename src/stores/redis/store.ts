import type { Clock } from "../../core/clock.ts";
import type { Store } from "../store.ts";
import type { RedisConnection } from "./connection.ts";
import { LogReader } from "./log-reader.ts";
import { createAuditPart, createKeyStore, createMarkerStore, createUserStore } from "./records.ts";
import { RedisRevocationLog } from "./revocations.ts";
import { readTime, type Manifest } from "./manifest.ts";
import { createSessionPart } from "./sessions.ts";

export interface RedisStoreParts {
  readonly link: RedisConnection;
  readonly root: Manifest;
  readonly prefix: string;
  readonly description: string;
  readonly clock: Clock;
  /** Opens a connection that may block. */
  readonly openReader: () => Promise<RedisConnection>;
}

/** All parts of the store; `check` is to be called when writes may have been lost. */
export function assembleStore(parts: RedisStoreParts): { store: Store; check: () => Promise<void> } {
  const { link, root, prefix, description, clock, openReader } = parts;
  const requireStore = async () => Number(await root.runScript(readTime));
  const reader = new LogReader({ open: openReader, logKey: root.logKey, seq: root.seq, clock });
  const log: RedisRevocationLog = new RedisRevocationLog({
    root,
    description,
    clock,
    publish: (entries) => reader.publish(entries),
    endAgain: async (entry) => await sessions.endAgain(entry),
  });
  const append = async (revocation: Parameters<RedisRevocationLog["append"]>[0]) =>
    await log.append(revocation);
  const sessions = createSessionPart({ link, prefix, appendToLog: append, requireStore });
  const audit = createAuditPart(link, prefix);
  const store: Store = {
    description,
    users: createUserStore(link, prefix, requireStore),
    sessions: sessions.store,
    keys: createKeyStore(root),
    revocations: {
      append: sessions.append,
      after: async (position) => await log.after(position),
      snapshot: async () => await log.snapshot(),
      subscribe: (listener) => reader.subscribe(listener),
    },
    audit: audit.store,
    markers: createMarkerStore(root),
    now: requireStore,
    async prune() {
      await log.prune();
      await audit.prune();
    },
    async close() {
      await log.close();
      await reader.close();
      await link.close();
    },
  };
  return { store, check: async () => await log.restoreLost() };
}
