import type { Clock } from "../../core/clock.ts";
import type { Store } from "../contracts.ts";
import type { Link } from "./link.ts";
import { LogReader } from "./log-reader.ts";
import { redisAudit, redisKeys, redisMarkers, redisUsers } from "./records.ts";
import { RedisLog } from "./revocations.ts";
import { sameStore, type Root } from "./root.ts";
import { redisSessions } from "./sessions.ts";

export interface RedisParts {
  readonly link: Link;
  readonly root: Root;
  readonly prefix: string;
  readonly description: string;
  readonly clock: Clock;
  /** Opens a connection that may block. */
  readonly openReader: () => Promise<Link>;
}

/** All parts of the store; `check` is to be called when writes may have been lost. */
export function storeOn(parts: RedisParts): { store: Store; check: () => Promise<void> } {
  const { link, root, prefix, description, clock, openReader } = parts;
  const requireStore = async () => Number(await root.run(sameStore));
  const reader = new LogReader({ open: openReader, logKey: root.logKey, seq: root.seq, clock });
  const log: RedisLog = new RedisLog({
    root,
    description,
    clock,
    publish: (entries) => reader.publish(entries),
    endAgain: async (entry) => await sessions.endAgain(entry),
  });
  const append = async (revocation: Parameters<RedisLog["append"]>[0]) => await log.append(revocation);
  const sessions = redisSessions({ link, prefix, log: append, requireStore });
  const audit = redisAudit(link, prefix);
  const store: Store = {
    description,
    users: redisUsers(link, prefix, requireStore),
    sessions: sessions.store,
    keys: redisKeys(root),
    revocations: {
      append: sessions.append,
      after: async (position) => await log.after(position),
      snapshot: async () => await log.snapshot(),
      subscribe: (listener) => reader.subscribe(listener),
    },
    audit: audit.store,
    markers: redisMarkers(root),
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
  return { store, check: async () => await log.check() };
}
