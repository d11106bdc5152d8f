import { randomUUID } from "node:crypto";
import {
  acknowledgeSuccessor,
  advanceCutoff,
  AUDIT_RETENTION_MS,
  decideKeyRotation,
  decideRotation,
  endSession,
  EVICTION_CANDIDATES,
  EXPIRED_RETENTION_MS,
  HoldfastError,
  isLive,
  nextEntry,
  pruneEntries,
  pruneSession,
  RevocationListeners,
  sessionsToEvict,
  startSession,
  systemClock,
  tailAfter,
  type AuditEvent,
  type Clock,
  type Cutoff,
  type EndReason,
  type Revocation,
  type RevocationEntry,
  type SessionCap,
  type SessionRecord,
  type SigningKeyRecord,
  type Store,
  type UserRecord,
} from "holdfast/store-kit";

const byUsername = (a: UserRecord, b: UserRecord) => (a.username < b.username ? -1 : 1);

/** A complete store in the memory of one process. A real one replaces the maps and the lists by its database. */
export function mapStore({ clock = systemClock }: { clock?: Clock } = {}): Store {
  const description = "maps in memory";
  const epoch = randomUUID();
  const users = new Map<string, UserRecord>();
  const sessions = new Map<string, SessionRecord>();
  const cutoffs = new Map<string, Cutoff & { until: number }>();
  const markers = new Map<string, string>();
  const attempts = new Map<string, { count: number; endsAt: number }>();
  const listeners = new RevocationListeners();
  let keys: readonly SigningKeyRecord[] = [];
  let log: readonly RevocationEntry[] = [];
  let audit: readonly AuditEvent[] = [];
  let lastNumber = 0;
  let isClosed = false;

  /** Runs an atomic command. A database runs it in one transaction. */
  async function command<T>(run: (nowMs: number) => T): Promise<T> {
    if (isClosed) throw new HoldfastError("closed", `${description} were closed`);
    return await Promise.resolve(run(clock.now()));
  }

  const sessionsOf = (subject: string) =>
    [...sessions.values()].filter((session) => session.subject === subject);

  function appendEntry(revocation: Revocation, nowMs: number): RevocationEntry {
    const entry = nextEntry(log.at(-1) ?? null, nowMs, revocation);
    log = [...log, entry];
    // A database publishes after the commit.
    listeners.publish([entry]);
    return entry;
  }

  function append(revocation: Revocation, nowMs: number, reason: EndReason = "revoked"): RevocationEntry {
    if (revocation.kind !== "subject") return appendEntry(revocation, nowMs);
    const { id: subject, until } = revocation;
    const last = cutoffs.get(subject) ?? null;
    const subjectSessions = sessionsOf(subject);
    const context = { before: revocation.before, sessions: subjectSessions, nowMs, lastNumber };
    const cutoff = advanceCutoff(last, context);
    lastNumber = cutoff.number;
    cutoffs.set(subject, { ...cutoff, until: Math.max(until, last?.until ?? 0) });
    for (const session of subjectSessions) end(session, reason, nowMs);
    return appendEntry({ ...revocation, before: cutoff.before, number: cutoff.number }, nowMs);
  }

  function end(session: SessionRecord | undefined, reason: EndReason, nowMs: number): void {
    if (session?.endedAt === null) sessions.set(session.id, endSession(session, reason, nowMs));
  }

  /** Makes room for one more session of the subject. Returns the sessions that were live. */
  function evict(subject: string, cap: SessionCap, nowMs: number): SessionRecord[] {
    const open = sessionsOf(subject).filter(({ endedAt }) => endedAt === null);
    const oldest = open.toSorted((a, b) => a.authAt - b.authAt).slice(0, EVICTION_CANDIDATES);
    return sessionsToEvict(oldest, open.length + 1 - cap.max, nowMs).filter((session) => {
      end(session, "evicted", nowMs);
      const wasLive = isLive(session, nowMs);
      if (wasLive)
        appendEntry({ kind: "session", id: session.id, issuer: cap.issuer, until: cap.until }, nowMs);
      return wasLive;
    });
  }

  return {
    description,
    users: {
      add: async (user, { onlyFirst = false } = {}) =>
        await command(() => {
          const isTaken = [...users.values()].some(
            ({ username, loginKey, subject }) =>
              username === user.username ||
              subject === user.subject ||
              (loginKey !== null && loginKey === user.loginKey),
          );
          if (isTaken || (onlyFirst && users.size > 0)) return "exists";
          users.set(user.username, user);
          return "added";
        }),
      get: async (username) => await command(() => users.get(username) ?? null),
      getByLoginKey: async (key) =>
        await command(() => {
          const found = [...users.values()].filter(({ loginKey }) => loginKey === key);
          return found.toSorted(byUsername)[0] ?? null;
        }),
      getBySubject: async (subject) =>
        await command(() => [...users.values()].find((user) => user.subject === subject) ?? null),
      replace: async (user, expectedMac) =>
        await command(() => {
          const stored = users.get(user.username);
          if (stored?.subject !== user.subject || stored.mac !== expectedMac) return "stale";
          users.set(user.username, user);
          return "replaced";
        }),
      remove: async (username, expectedMac) =>
        await command(() => {
          if (users.get(username)?.mac !== expectedMac) return "stale";
          users.delete(username);
          return "removed";
        }),
      list: async ({ after = "", limit }) =>
        await command(() => {
          const later = [...users.values()].filter(({ username }) => username > after);
          return later.toSorted(byUsername).slice(0, limit);
        }),
    },
    sessions: {
      mark: async () => await command(() => lastNumber),
      create: async (session, cap) =>
        await command((nowMs) => {
          const cutoff = cutoffs.get(session.subject) ?? null;
          const record = startSession(session, nowMs, cutoff);
          if (record === null) return { status: "superseded", number: cutoff?.number ?? 0 };
          if (sessions.has(session.id)) throw new HoldfastError("invalid_option", "session.id is taken");
          const evicted = cap === undefined ? [] : evict(session.subject, cap, nowMs);
          sessions.set(session.id, record);
          return { status: "created", session: record, evicted };
        }),
      get: async (id) => await command(() => sessions.get(id) ?? null),
      listBySubject: async (subject, { after = null, limit }) =>
        await command((nowMs) => {
          const { at, id } = after ?? { at: Infinity, id: "" };
          const rest = sessionsOf(subject)
            .filter((session) => isLive(session, nowMs))
            .filter((session) => session.authAt < at || (session.authAt === at && session.id > id))
            .toSorted((a, b) => b.authAt - a.authAt || (a.id < b.id ? -1 : 1));
          const last = rest.length > limit ? rest[limit - 1] : undefined;
          return { sessions: rest.slice(0, limit), next: last ? { at: last.authAt, id: last.id } : null };
        }),
      rotate: async (rotation) =>
        await command((nowMs) => {
          const record = sessions.get(rotation.sessionId) ?? null;
          const decided = decideRotation(record, rotation, nowMs);
          if (decided.outcome === "reuse") append(rotation.onReuse, nowMs);
          if (decided.outcome !== "unknown") sessions.set(rotation.sessionId, decided.session);
          return decided;
        }),
      acknowledge: async (sign) =>
        await command((nowMs) => {
          const changed = acknowledgeSuccessor(sessions.get(sign.sessionId) ?? null, sign, nowMs);
          if (changed === null) return "unchanged";
          sessions.set(sign.sessionId, changed);
          return "acknowledged";
        }),
      end: async (id, reason, revocation) =>
        await command((nowMs) => {
          append(revocation, nowMs);
          end(sessions.get(id), reason, nowMs);
        }),
      endAll: async (subject, reason, { issuer, until }) =>
        await command((nowMs) => {
          const live = sessionsOf(subject).filter((session) => isLive(session, nowMs)).length;
          append({ kind: "subject", id: subject, before: 0, issuer, until }, nowMs, reason);
          return live;
        }),
    },
    keys: {
      list: async () => await command(() => keys),
      initialise: async (first) =>
        await command(() => {
          if (keys.length === 0) keys = [...first];
          return keys;
        }),
      rotate: async (current, next) =>
        await command((nowMs) => {
          const rotated = decideKeyRotation(keys, current, next, nowMs);
          if (rotated === null) return "stale";
          keys = rotated;
          return "rotated";
        }),
      reseal: async (kid, from, sealed) =>
        await command(() => {
          if (!keys.some((key) => key.kid === kid && key.sealed === from)) return "stale";
          keys = keys.map((key) => (key.kid === kid ? { ...key, sealed } : key));
          return "replaced";
        }),
      remove: async (kid) => await command(() => void (keys = keys.filter((key) => key.kid !== kid))),
    },
    revocations: {
      append: async (revocation) => await command((nowMs) => append(revocation, nowMs)),
      snapshot: async () =>
        await command((nowMs) => {
          const { seq, chain } = log.at(-1) ?? { seq: 0, chain: "" };
          const entries = log.filter(({ revocation }) => revocation.until > nowMs);
          return { position: { epoch, seq, chain }, entries };
        }),
      after: async (position) =>
        await command(() => {
          return tailAfter(
            position,
            epoch,
            log.filter(({ seq }) => seq >= position.seq),
          );
        }),
      subscribe: (listener) => listeners.subscribe(listener),
    },
    audit: {
      append: async (event) => await command(() => void (audit = [...audit, event])),
      recent: async (limit) => await command(() => audit.toReversed().slice(0, limit)),
      page: async (limit, before) =>
        await command(() => {
          const until = before === null ? audit.length : Number(before);
          const start = Math.max(0, until - limit);
          return { events: audit.slice(start, until).toReversed(), next: start === 0 ? null : String(start) };
        }),
    },
    markers: {
      read: async (name) => await command(() => markers.get(name) ?? null),
      claim: async (name, value) =>
        await command(() => {
          if (!markers.has(name)) markers.set(name, value);
          return markers.get(name) ?? value;
        }),
      replace: async (name, from, to) =>
        await command(() => {
          if (markers.get(name) !== from) return "stale";
          markers.set(name, to);
          return "replaced";
        }),
    },
    attempts: {
      add: async (deltas) =>
        await command((nowMs) =>
          deltas.map(({ key, count, windowMs }) => {
            const held = attempts.get(key) ?? { count: 0, endsAt: nowMs + windowMs };
            const isEnded = held.endsAt <= nowMs;
            const total = Math.max(0, (isEnded ? 0 : held.count) + count);
            const endsAt = isEnded ? nowMs + windowMs : held.endsAt;
            if (total > 0 || attempts.has(key)) attempts.set(key, { count: total, endsAt });
            return { count: total, endsInMs: endsAt - nowMs };
          }),
        ),
    },
    now: async () => await command((nowMs) => nowMs),
    prune: async () =>
      await command((nowMs) => {
        for (const [id, record] of sessions) {
          const pruned = pruneSession(record, nowMs);
          if (pruned === null) sessions.delete(id);
          else sessions.set(id, pruned);
        }
        for (const [subject, { until }] of cutoffs) {
          if (until <= nowMs - EXPIRED_RETENTION_MS) cutoffs.delete(subject);
        }
        for (const [key, { endsAt }] of attempts) if (endsAt <= nowMs) attempts.delete(key);
        log = pruneEntries(log, nowMs);
        audit = audit.filter(({ at }) => at > nowMs - AUDIT_RETENTION_MS);
      }),
    close: async () => await Promise.resolve(void (isClosed = true)),
  };
}
