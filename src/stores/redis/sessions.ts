import type { Clock } from "../../core/clock.ts";
import { HoldfastError } from "../../core/errors.ts";
import type { Revocation, RevocationEntry } from "../../core/revocation.ts";
import { isLive } from "../../core/session.ts";
import { startSession } from "../refresh-rotation.ts";
import { EXPIRED_RETENTION_MS } from "../retention.ts";
import type { EndReason, Rotation, RotationOutcome, SessionStore } from "../session-store.ts";
import type { RedisConnection } from "./connection.ts";
import { mapConcurrently } from "./map-concurrently.ts";
import { evict, type SessionCommandParts } from "./session-eviction.ts";
import { SessionCommands, type SessionReply } from "./session-commands.ts";
import { SubjectCommands } from "./subject-commands.ts";

/** The sessions of the store, and the appending of revocations that end sessions. */
export interface SessionPart {
  readonly store: SessionStore;
  /** Appends a revocation. One of kind `subject` also records the cut-off and ends the subject's sessions. */
  readonly append: (revocation: Revocation) => Promise<RevocationEntry>;
  /**
   * Ends again the sessions that an entry ended, because the server that took over may lack the write. Returns how many
   * sessions were live.
   */
  readonly endAgain: (entry: RevocationEntry) => Promise<number>;
}

/** The parts of the store that the sessions use. */
export interface SessionContext {
  readonly connection: RedisConnection;
  readonly prefix: string;
  readonly clock: Clock;
  readonly isCluster: boolean;
  /** Appends to the log and ends no session. */
  readonly appendToLog: (revocation: Revocation) => Promise<RevocationEntry>;
  /** Returns the server's time, epoch ms. Rejects with `store_emptied` when the store is not the one that was opened. */
  readonly requireStore: () => Promise<number>;
}

export function createSessionPart(context: SessionContext): SessionPart {
  const { appendToLog, requireStore, connection, prefix } = context;
  const commands = new SessionCommands(context);
  const subjects = new SubjectCommands(connection, prefix);
  const parts: SessionCommandParts = { commands, subjects, appendToLog };

  /** Ends one session. Its revocation is in the log already. */
  async function endOne(id: string, reason: EndReason): Promise<SessionReply> {
    const reply = await commands.end(id, reason);
    if (reply.session !== null) void subjects.delist(reply.session.subject, [id]);
    return reply;
  }

  async function append(revocation: Revocation): Promise<RevocationEntry> {
    if (revocation.kind !== "subject") return await appendToLog(revocation);
    return (await endSubject(parts, revocation, "revoked")).entry;
  }

  async function rotate(rotation: Rotation): Promise<RotationOutcome> {
    const { outcome, session, now } = await commands.rotate(rotation);
    if (session === null) await requireStore();
    if (session === null || outcome === "unknown") return { outcome: "unknown" };
    if (outcome === "repeated") {
      const behindMs = Math.max(0, now - session.rotatedAt);
      return { outcome, session, sealedSuccessor: session.sealedSuccessor ?? "", behindMs };
    }
    if (outcome !== "reuse") return { outcome, session } as RotationOutcome;
    await appendToLog(rotation.onReuse);
    const ended = await endOne(rotation.sessionId, "reuse");
    return { outcome: ended.outcome === "live" ? "reuse" : "ended", session: ended.session ?? session };
  }

  return {
    append,
    endAgain: async (entry) => await endAgain(parts, entry),
    store: {
      mark: requireStore,
      create: async (session, cap) => await create(parts, requireStore, session, cap),
      async get(id) {
        const found = await commands.find(id);
        if (found === null) await requireStore();
        return found && found.session;
      },
      async listBySubject(subject, { after = null, limit }) {
        const { positions } = await subjects.page(subject, after, limit);
        if (positions.length === 0) await requireStore();
        const found = await mapConcurrently(positions, async ({ id }) => await commands.findAny(id));
        const sessions = found.flatMap((one) =>
          one !== null && one !== "damaged" && one.session.subject === subject && isLive(one.session, one.now)
            ? [one.session]
            : [],
        );
        const unreadable = positions.filter((_, i) => found[i] === "damaged").map(({ id }) => id);
        return { sessions, unreadable, next: positions.length < limit ? null : (positions.at(-1) ?? null) };
      },
      rotate,
      acknowledge: async (sign) => await commands.acknowledge(sign),
      async end(id, reason, revocation) {
        await append(revocation);
        await endOne(id, reason);
      },
      async endAll(subject, reason, { issuer, until }) {
        const revocation = { kind: "subject", id: subject, before: 0, issuer, until } as const;
        return (await endSubject(parts, revocation, reason)).live;
      },
    },
  };
}

async function endAgain(
  { commands, subjects }: SessionCommandParts,
  { revocation, at }: RevocationEntry,
): Promise<number> {
  if (revocation.kind === "session") return await commands.endAgain(revocation.id, "revoked");
  if (revocation.kind !== "subject") return 0;
  const { id: subject } = revocation;
  const cutoff = await subjects.cutOff(subject, { ...revocation, moment: at });
  // Sessions that began after the cut-off stay live. Its number is its time, and the entry is appended later.
  const upTo = Math.min(at, revocation.number ?? at);
  const ended = await mapConcurrently(cutoff.ids, async (id) => {
    return await commands.endAgain(id, "revoked", { subject, number: cutoff.number, upTo });
  });
  return ended.reduce((sum, lost) => sum + lost, 0);
}

async function create(
  parts: SessionCommandParts,
  requireStore: SessionContext["requireStore"],
  ...[session, cap]: Parameters<SessionStore["create"]>
): ReturnType<SessionStore["create"]> {
  const { commands, subjects } = parts;
  const [{ now, supersededBy, listed }] = await Promise.all([subjects.list(session), requireStore()]);
  // The script has compared the mark with the cut-off.
  const record = supersededBy === null ? startSession(session, now, null) : null;
  if (record === null) return { status: "superseded", number: supersededBy ?? 0 };
  const life = Math.max(1, record.idleExpiresAt - now + EXPIRED_RETENTION_MS);
  const created = await commands.create(record, session.mark, life);
  if (created.status === "superseded") return created;
  if (created.status === "taken") throw new HoldfastError("invalid_option", "session.id is taken already");
  const evicted = cap === undefined || listed <= cap.max ? [] : await evict(parts, record, cap);
  return { status: "created", session: record, evicted };
}

/**
 * Ends the subject's sessions. First the cut-off keeps new sessions from starting, then the log gets the entry, then
 * every session ends. A session that was refreshed before its end may have a token that the entry does not cover. A
 * second entry covers it.
 */
async function endSubject(
  { commands, subjects, appendToLog }: SessionCommandParts,
  revocation: Revocation & { kind: "subject" },
  reason: EndReason,
): Promise<{ entry: RevocationEntry; live: number }> {
  const { id: subject, until } = revocation;
  const first = await subjects.cutOff(subject, { before: revocation.before, until });
  const { at, number, ids } = first;
  let { before } = first;
  const found = await mapConcurrently(ids, async (id) => await commands.findAny(id));
  const damaged = ids.filter((_, i) => found[i] === "damaged");
  let newest = largest(found.map((one) => (one === null || one === "damaged" ? 0 : one.session.issuedAtS)));
  for (let live = 0; ;) {
    // A greater `iat` comes from a clock that was set back, or from a cut-off in the same second.
    if (newest > before) {
      ({ before } = await subjects.cutOff(subject, { before: newest, until, moment: at, number }));
    }
    const entry = await appendToLog({ ...revocation, before, number });
    // The newest `iat` of a damaged record is lost, so the cut-off may not cover its tokens.
    for (const id of damaged.splice(0)) {
      await appendToLog({ kind: "session", id, issuer: revocation.issuer, until });
    }
    const ended = await mapConcurrently(ids, async (id) => {
      const { outcome, session } = await commands.end(id, reason, { subject, number });
      return { wasLive: outcome === "live", issuedAtS: session?.issuedAtS ?? 0 };
    });
    live += ended.filter(({ wasLive }) => wasLive).length;
    newest = largest(ended.map(({ issuedAtS }) => issuedAtS));
    if (newest > before) continue;
    await subjects.delist(subject, ids);
    return { entry, live };
  }
}

function largest(numbers: readonly number[]): number {
  return numbers.reduce((a, b) => Math.max(a, b), 0);
}
