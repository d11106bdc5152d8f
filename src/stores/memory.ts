import { systemClock, type Clock } from "../core/clock.ts";
import { HoldfastError } from "../core/errors.ts";
import type { AuditEvent } from "../core/events.ts";
import { onlyKnown } from "../core/options.ts";
import type { RevocationEntry } from "../core/revocation.ts";
import type { SessionRecord, SigningKeyRecord, Store, UserRecord } from "./contracts.ts";
import { AUDIT_KEPT_MS, PRUNE_SLACK_MS } from "./retention.ts";
import { newEpoch, nextEntry, RevocationListeners, tailAfter } from "./revocation-log.ts";
import type { Cutoff } from "./rotation.ts";
import * as commands from "./session-commands.ts";

/**
 * A store that forgets everything with the process: for tests only. It keeps the contract, but nothing it
 * acknowledges is durable, and no second process sees it.
 */
export function memoryStore(options: { clock?: Clock; random?: () => number } = {}): Store {
  onlyKnown("memoryStore", options, ["clock", "random"]);
  const clock = options.clock ?? systemClock;
  const epoch = newEpoch(options.random ?? Math.random);
  const users = new Map<string, UserRecord>();
  const sessions = new Map<string, SessionRecord>();
  const cutoffs = new Map<string, Cutoff & { readonly until: number }>();
  const keys = new Map<string, SigningKeyRecord>();
  const markers = new Map<string, string>();
  const listeners = new RevocationListeners();
  let log: RevocationEntry[] = [];
  let audit: AuditEvent[] = [];
  let closed = false;

  // Each command runs synchronously from its first read to its last write: that makes it atomic.
  const run = async <T>(command: (nowMs: number) => T): Promise<T> => {
    await Promise.resolve();
    if (closed) throw new HoldfastError("closed", "the memory store was closed");
    const known = log.length;
    const result = command(clock.now());
    listeners.publish(log.slice(known));
    return result;
  };

  const tables: commands.SessionTables = {
    session: (id) => sessions.get(id) ?? null,
    sessionsOf: (subject) => [...sessions.values()].filter((session) => session.subject === subject),
    insert: (session) => !sessions.has(session.id) && sessions.set(session.id, session) !== null,
    save: (session) => void sessions.set(session.id, session),
    cutoff: (subject) => cutoffs.get(subject) ?? null,
    saveCutoff: (subject, cutoff, until) => void cutoffs.set(subject, { ...cutoff, until }),
    append(revocation, nowMs) {
      const entry = nextEntry(log.at(-1) ?? null, nowMs, { ...revocation });
      log.push(entry);
      return entry;
    },
  };

  return {
    description: "memory (nothing is kept)",
    users: {
      add: async (user, { onlyFirst = false } = {}) =>
        await run(() => {
          const taken = [...users.values()].some((u) => onlyFirst || sameUser(u, user));
          if (taken) return "exists";
          users.set(user.username, structuredClone(user));
          return "added";
        }),
      get: async (username) => await run(() => users.get(username) ?? null),
      getBySubject: async (subject) =>
        await run(() => [...users.values()].find((user) => user.subject === subject) ?? null),
      replace: async (user, expectedMac) =>
        await run(() => {
          if (users.get(user.username)?.mac !== expectedMac) return "stale";
          users.set(user.username, structuredClone(user));
          return "replaced";
        }),
      list: async ({ after = "", limit }) =>
        await run(() =>
          [...users.values()]
            .filter((user) => inBytes(user.username, after) > 0)
            .toSorted((a, b) => inBytes(a.username, b.username))
            .slice(0, limit),
        ),
    },
    sessions: {
      create: async (session) => await run((now) => commands.createSession(tables, session, now)),
      get: async (id) => await run(() => tables.session(id)),
      listBySubject: async (subject) => await run((now) => commands.liveSessions(tables, subject, now)),
      rotate: async (rotation) => await run((now) => commands.rotateSession(tables, rotation, now)),
      end: async (id, reason, revocation) =>
        await run((now) => commands.endSession(tables, id, reason, revocation, now)),
      endAll: async (subject, reason, revocation) =>
        await run((now) => commands.endSubject(tables, subject, reason, revocation, now)),
    },
    keys: {
      list: async () => await run(() => inOrder(keys)),
      initialise: async (first) =>
        await run(() => {
          if (keys.size === 0) for (const key of first) keys.set(key.kid, { ...key });
          return inOrder(keys);
        }),
      rotate: async (current, next) =>
        await run((now) => {
          const retiring = keys.get(current);
          const published = inOrder(keys).find((key) => key.activatedAt === null && key.retiredAt === null);
          const signs = retiring && retiring.activatedAt !== null && retiring.retiredAt === null;
          if (!signs || !published) return "stale";
          keys.set(current, { ...retiring, retiredAt: now });
          keys.set(published.kid, { ...published, activatedAt: now });
          keys.set(next.kid, { ...next });
          return "rotated";
        }),
      reseal: async (kid, from, sealed) =>
        await run(() => {
          const key = keys.get(kid);
          if (key?.sealed !== from) return "stale";
          keys.set(kid, { ...key, sealed });
          return "replaced";
        }),
      remove: async (kid) => await run(() => void keys.delete(kid)),
    },
    revocations: {
      append: async (revocation) => await run((now) => commands.appendRevocation(tables, revocation, now)),
      snapshot: async () =>
        await run((now) => ({
          position: { epoch, seq: log.at(-1)?.seq ?? 0, chain: log.at(-1)?.chain ?? "" },
          entries: log.filter((entry) => entry.revocation.until > now),
        })),
      after: async (position) =>
        await run(() => {
          const from = log.filter((entry) => entry.seq >= position.seq);
          return tailAfter(position, epoch, from);
        }),
      subscribe: (listener) => listeners.subscribe(listener),
    },
    audit: {
      append: async (event) => await run(() => void audit.push({ ...event })),
      recent: async (limit) => await run(() => audit.toReversed().slice(0, limit)),
    },
    markers: {
      read: async (name) => await run(() => markers.get(name) ?? null),
      claim: async (name, value) =>
        await run(() => {
          const standing = markers.get(name) ?? value;
          markers.set(name, standing);
          return standing;
        }),
      replace: async (name, from, to) =>
        await run(() => {
          if (markers.get(name) !== from) return "stale";
          markers.set(name, to);
          return "replaced";
        }),
    },
    now: async () => await run((now) => now),
    prune: async () =>
      await run((now) => {
        const over = now - PRUNE_SLACK_MS;
        for (const session of sessions.values()) {
          if (session.idleExpiresAt <= over) sessions.delete(session.id);
          else if (session.graceEndsAt !== null && session.graceEndsAt <= now) {
            sessions.set(session.id, { ...session, sealedSuccessor: null });
          }
        }
        for (const [subject, { until }] of cutoffs) if (until <= over) cutoffs.delete(subject);
        // Only from the head, and never the newest: the rest stays contiguous, and the place in the log known.
        const kept = log.findIndex((entry) => entry.revocation.until > over);
        log = log.slice(kept === -1 ? -1 : kept);
        audit = audit.filter((event) => event.at > now - AUDIT_KEPT_MS);
      }),
    close: async () => {
      closed = true;
      await Promise.resolve();
    },
  };
}

function sameUser(a: UserRecord, b: UserRecord): boolean {
  return a.username === b.username || a.subject === b.subject;
}

/** In order of UTF-8 bytes, as SQLite and Redis sort. */
function inBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

function inOrder(keys: ReadonlyMap<string, SigningKeyRecord>): readonly SigningKeyRecord[] {
  return [...keys.values()].toSorted((a, b) => a.createdAt - b.createdAt);
}
