import {
  acknowledgeSuccessor,
  advanceCutoff,
  decideKeyRotation,
  decideRotation,
  endSession,
  EVICTION_CANDIDATES,
  HoldfastError,
  isLive,
  nextEntry,
  RevocationListeners,
  sessionsToEvict,
  startSession,
  tailAfter,
  type Acknowledgement,
  type AttemptDelta,
  type AuditEvent,
  type Clock,
  type Cutoff,
  type EndReason,
  type NewSession,
  type Revocation,
  type RevocationEntry,
  type Rotation,
  type SessionCap,
  type SessionPosition,
  type SessionRecord,
  type SigningKeyRecord,
  type Store,
  type UserRecord,
} from "../../src/stores/store-kit.ts";

const byName = (a: { username: string }, b: { username: string }) => (a.username < b.username ? -1 : 1);

/**
 * A minimal store on maps whose methods return plain values instead of promises. The types do not allow that, but the
 * issuer must accept it.
 */
export function plainStore(clock: Clock): Store {
  const users = new Map<string, UserRecord>();
  const sessions = new Map<string, SessionRecord>();
  const cutoffs = new Map<string, Cutoff>();
  let lastNumber = 0;
  const markers = new Map<string, string>();
  const attempts = new Map<string, { count: number; endsAt: number }>();
  const audit: AuditEvent[] = [];
  let keys: readonly SigningKeyRecord[] = [];
  let log: RevocationEntry[] = [];
  const listeners = new RevocationListeners();

  const now = () => clock.now();
  const appendEntry = (revocation: Revocation) => {
    const entry = nextEntry(log.at(-1) ?? null, now(), revocation);
    log = [...log, entry];
    listeners.publish([entry]);
    return entry;
  };
  const sessionsOf = (subject: string) =>
    [...sessions.values()].filter((session) => session.subject === subject);
  const end = (session: SessionRecord | undefined, reason: EndReason) => {
    if (session !== undefined) sessions.set(session.id, endSession(session, reason, now()));
  };
  const append = (revocation: Revocation, reason: EndReason = "revoked") => {
    if (revocation.kind !== "subject") return appendEntry(revocation);
    const { id: subject, before } = revocation;
    const context = { before, sessions: sessionsOf(subject), nowMs: now(), lastNumber };
    const cutoff = advanceCutoff(cutoffs.get(subject) ?? null, context);
    cutoffs.set(subject, cutoff);
    lastNumber = cutoff.number;
    for (const session of sessionsOf(subject)) end(session, reason);
    return appendEntry({ ...revocation, before: cutoff.before, number: cutoff.number });
  };
  const inForce = () => log.filter((entry) => entry.revocation.until > now());

  return {
    description: "plain values (nothing is kept)",
    users: {
      add(user: UserRecord, options?: { onlyFirst?: boolean }) {
        if (users.has(user.username) || (options?.onlyFirst === true && users.size > 0)) return "exists";
        users.set(user.username, user);
        return "added";
      },
      get: (username: string) => users.get(username) ?? null,
      getBySubject: (subject: string) => [...users.values()].find((user) => user.subject === subject) ?? null,
      getByLoginKey: (key: string) =>
        [...users.values()].toSorted(byName).find((user) => user.loginKey === key) ?? null,
      remove(username: string, expectedMac: string) {
        if (users.get(username)?.mac !== expectedMac) return "stale";
        users.delete(username);
        return "removed";
      },
      replace(user: UserRecord, expectedMac: string) {
        if (users.get(user.username)?.mac !== expectedMac) return "stale";
        users.set(user.username, user);
        return "replaced";
      },
      list: ({ after = "", limit }: { after?: string; limit: number }) =>
        [...users.values()]
          .toSorted(byName)
          .filter((user) => user.username > after)
          .slice(0, limit),
    },
    sessions: {
      mark: () => lastNumber,
      create(session: NewSession, cap?: SessionCap) {
        const cutoff = cutoffs.get(session.subject) ?? null;
        const record = startSession(session, now(), cutoff);
        if (record === null) return { status: "superseded", number: cutoff?.number ?? 0 };
        if (sessions.has(session.id))
          throw new HoldfastError("invalid_option", "session.id is taken already");
        const open = sessionsOf(session.subject).filter(({ endedAt }) => endedAt === null);
        const candidates = open.toSorted((a, b) => a.authAt - b.authAt).slice(0, EVICTION_CANDIDATES);
        const excess = cap === undefined ? 0 : open.length + 1 - cap.max;
        sessions.set(session.id, record);
        const evicted = sessionsToEvict(candidates, excess, now()).flatMap((one) => {
          end(one, "evicted");
          if (cap === undefined || !isLive(one, now())) return [];
          append({ kind: "session", id: one.id, issuer: cap.issuer, until: cap.until });
          return [one];
        });
        return { status: "created", session: record, evicted };
      },
      get: (id: string) => sessions.get(id) ?? null,
      listBySubject(subject: string, { after, limit }: { after?: SessionPosition | null; limit: number }) {
        const live = sessionsOf(subject).filter((session) => isLive(session, now()));
        const inOrder = live.toSorted((a, b) => b.authAt - a.authAt || (a.id < b.id ? -1 : 1));
        const from = after ?? { at: Infinity, id: "" };
        const rest = inOrder.filter(
          ({ authAt, id }) => authAt < from.at || (authAt === from.at && id > from.id),
        );
        const page = rest.slice(0, limit);
        const last = rest.length > limit ? page.at(-1) : undefined;
        return { sessions: page, next: last === undefined ? null : { at: last.authAt, id: last.id } };
      },
      rotate(rotation: Rotation) {
        const record = sessions.get(rotation.sessionId) ?? null;
        const decided = decideRotation(record, rotation, now());
        if (decided.outcome === "unknown") return decided;
        if (decided.outcome === "reuse") append(rotation.onReuse);
        sessions.set(rotation.sessionId, decided.session);
        return decided;
      },
      acknowledge(sign: Acknowledgement) {
        const changed = acknowledgeSuccessor(sessions.get(sign.sessionId) ?? null, sign, now());
        if (changed === null) return "unchanged";
        sessions.set(sign.sessionId, changed);
        return "acknowledged";
      },
      end(id: string, reason: EndReason, revocation: Revocation) {
        append(revocation);
        end(sessions.get(id), reason);
      },
      endAll(subject: string, reason: EndReason, scope: { issuer: string; until: number }) {
        const live = sessionsOf(subject).filter((session) => isLive(session, now())).length;
        append({ kind: "subject", id: subject, before: 0, ...scope }, reason);
        return live;
      },
    },
    keys: {
      list: () => keys,
      initialise: (first: readonly SigningKeyRecord[]) => (keys = keys.length === 0 ? [...first] : keys),
      rotate(current: string, next: SigningKeyRecord) {
        const rotated = decideKeyRotation(keys, current, next, now());
        if (rotated === null) return "stale";
        keys = rotated;
        return "rotated";
      },
      reseal(kid: string, from: string, sealed: string) {
        if (!keys.some((key) => key.kid === kid && key.sealed === from)) return "stale";
        keys = keys.map((key) => (key.kid === kid ? { ...key, sealed } : key));
        return "replaced";
      },
      remove: (kid: string) => void (keys = keys.filter((key) => key.kid !== kid)),
    },
    revocations: {
      append: (revocation: Revocation) => append(revocation),
      snapshot() {
        const { seq, chain } = log.at(-1) ?? { seq: 0, chain: "" };
        return { position: { epoch: "plain", seq, chain }, entries: inForce() };
      },
      after: (position: Parameters<Store["revocations"]["after"]>[0]) =>
        tailAfter(
          position,
          "plain",
          log.filter((entry) => entry.seq >= position.seq),
        ),
      subscribe: (listener: Parameters<Store["revocations"]["subscribe"]>[0]) =>
        listeners.subscribe(listener),
    },
    audit: {
      append: (event: AuditEvent) => void audit.push(event),
      recent: (limit: number) => audit.toReversed().slice(0, limit),
      page(limit: number, before: string | null) {
        const until = before === null ? audit.length : Number(before);
        const start = Math.max(0, until - limit);
        return { events: audit.slice(start, until).toReversed(), next: start === 0 ? null : String(start) };
      },
    },
    markers: {
      read: (name: string) => markers.get(name) ?? null,
      claim: (name: string, value: string) => markers.get(name) ?? (markers.set(name, value), value),
      replace(name: string, from: string, to: string) {
        if (markers.get(name) !== from) return "stale";
        markers.set(name, to);
        return "replaced";
      },
    },
    attempts: {
      add: (deltas: readonly AttemptDelta[]) =>
        deltas.map(({ key, count, windowMs }) => {
          const held = attempts.get(key);
          const isOpen = held !== undefined && held.endsAt > now();
          const endsAt = isOpen ? held.endsAt : now() + windowMs;
          const total = Math.max(0, (isOpen ? held.count : 0) + count);
          if (total > 0 || isOpen) attempts.set(key, { count: total, endsAt });
          return { count: total, endsInMs: endsAt - now() };
        }),
    },
    now,
    prune: () => {},
    close: () => {},
  } as unknown as Store;
}
