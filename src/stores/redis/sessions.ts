import { HoldfastError } from "../../core/errors.ts";
import type { Revocation, RevocationEntry } from "../../core/revocation.ts";
import type { EndReason, RotationOutcome, SessionFacts, SessionRecord, SessionStore } from "../store.ts";
import { EXPIRED_RETENTION_MS } from "../retention.ts";
import { isLive, startSession } from "../refresh-rotation.ts";
import type { RedisConnection } from "./connection.ts";
import {
  createSession,
  cutOffSubject,
  delistSessions,
  endSession,
  listedSessions,
  listSession,
  readSession,
  rotateSession,
} from "./session-scripts.ts";

/** Commands at once: a subject's sessions must not fill the queue that everybody shares. */
const BATCH = 500;

/** JSON of the facts, and of the rest of the record but its sealed successor. */
type ScriptReply = readonly [
  outcome: string,
  now: number,
  fixed?: string,
  state?: string,
  successor?: string | null,
];

export interface SessionPart {
  readonly store: SessionStore;
  /** A subject's revocation also is its cut-off and ends its sessions. */
  readonly append: (revocation: Revocation) => Promise<RevocationEntry>;
  /** Ends once more what an entry ended: the server that took over may not have heard of it. */
  readonly endAgain: (entry: RevocationEntry) => Promise<void>;
}

export interface SessionContext {
  readonly link: RedisConnection;
  readonly prefix: string;
  /** Appends to the log; nothing else. */
  readonly appendToLog: (revocation: Revocation) => Promise<RevocationEntry>;
  /** Rejects with `store_emptied` when the store is not the one that was opened. */
  readonly requireStore: () => Promise<unknown>;
}

export function sessionKeys(prefix: string, id: string): string[] {
  return [`${prefix}{session:${id}}`, `${prefix}{session:${id}}:successor`];
}

export function subjectKeys(prefix: string, subject: string): string[] {
  return [`${prefix}{subject:${subject}}:cutoff`, `${prefix}{subject:${subject}}:sessions`];
}

export function createSessionPart({ link, prefix, appendToLog, requireStore }: SessionContext): SessionPart {
  const keysOf = (id: string) => sessionKeys(prefix, id);
  const keysOfSubject = (subject: string) => subjectKeys(prefix, subject);

  async function find(id: string): Promise<{ session: SessionRecord; now: number } | null> {
    const answer = (await link.runScript(readSession, keysOf(id))) as ScriptReply;
    const session = toSessionRecord(answer);
    const now = answer[1];
    return session === null || session.idleExpiresAt <= now - EXPIRED_RETENTION_MS ? null : { session, now };
  }

  /** For a cut-off `by` has the subject, its moment, and up to which `authAt` it is meant. */
  async function finish(id: string, reason: EndReason, by: readonly (string | number)[] = []) {
    const [subject = "", at = "", upTo = ""] = by;
    const answer = (await link.runScript(endSession, keysOf(id), [reason, subject, at, upTo])) as ScriptReply;
    return { was: answer[0], session: toSessionRecord(answer) };
  }

  /** Of one session, when the log has it. */
  async function end(id: string, reason: EndReason) {
    const ended = await finish(id, reason);
    if (ended.session !== null) void delist(ended.session.subject, [id]);
    return ended;
  }

  async function delist(subject: string, ids: readonly string[]): Promise<void> {
    try {
      await link.runScript(delistSessions, keysOfSubject(subject), ids);
    } catch {
      // They are listed until they would have expired: a longer list, and nothing else.
    }
  }

  async function cut(subject: string, before: number, until: number, moment: number | "" = "") {
    const reply = await link.runScript(cutOffSubject, keysOfSubject(subject), [before, until, moment]);
    const [at, covered, ids] = reply as [number, number, string[]];
    return { at, before: covered, ids };
  }

  /**
   * From the cut-off on no session begins, then comes the log, then every session ends. One that was refreshed
   * before its end, in another second, has tokens that only a second entry covers.
   */
  async function endSubject(revocation: Revocation & { kind: "subject" }, reason: EndReason) {
    const { id: subject, until } = revocation;
    const { at, before: least, ids } = await cut(subject, revocation.before, until);
    const found = await mapInBatches(ids, find);
    let newest = newestIssuedAtS(found.map((one) => one?.session));
    for (let before = least, live = 0; ;) {
      // The clock was set back, or there was a cut-off in this very second.
      if (newest > before) ({ before } = await cut(subject, newest, until, at));
      const entry = await appendToLog({ ...revocation, before });
      const ended = await mapInBatches(ids, async (id) => await finish(id, reason, [subject, at]));
      live += ended.filter(({ was }) => was === "live").length;
      newest = newestIssuedAtS(ended.map(({ session }) => session));
      if (newest > before) continue;
      await delist(subject, ids);
      return { entry, live };
    }
  }

  async function append(revocation: Revocation): Promise<RevocationEntry> {
    if (revocation.kind !== "subject") return await appendToLog(revocation);
    return (await endSubject(revocation, "revoked")).entry;
  }

  return {
    append,
    async endAgain({ revocation, at }) {
      if (revocation.kind === "session") await finish(revocation.id, "revoked");
      if (revocation.kind !== "subject") return;
      const { id: subject, before, until } = revocation;
      const { ids } = await cut(subject, before, until, at);
      // Spares what began later.
      await mapInBatches(ids, async (id) => await finish(id, "revoked", [subject, at, at]));
    },
    store: {
      async create(session) {
        const { id, subject, authAt, absoluteExpiresAt } = session;
        const args = [id, authAt, absoluteExpiresAt];
        const [listed] = await Promise.all([
          link.runScript(listSession, keysOfSubject(subject), args) as Promise<
            [number, number, string?, string?]
          >,
          requireStore(),
        ]);
        const [now, superseded, at, before] = listed;
        if (superseded === 1) return { status: "superseded" };
        const cutoff = typeof at === "string" ? { at: Number(at), before: Number(before) } : null;
        const record = startSession(session, now, cutoff);
        if (record === null) return { status: "superseded" };
        const life = Math.max(1, record.idleExpiresAt - now + EXPIRED_RETENTION_MS);
        const made = await link.runScript(createSession, keysOf(id), [authAt, life, ...toHashFields(record)]);
        if (made === "taken") throw new HoldfastError("invalid_option", "session.id is taken already");
        return made === "created" ? { status: "created", session: record } : { status: "superseded" };
      },
      async get(id) {
        const found = await find(id);
        if (found === null) await requireStore();
        return found && found.session;
      },
      async listBySubject(subject) {
        const ids = (await link.runScript(listedSessions, keysOfSubject(subject))) as string[];
        if (ids.length === 0) await requireStore();
        const found = await mapInBatches(ids, find);
        return found
          .filter((one) => one !== null && one.session.subject === subject && isLive(one.session, one.now))
          .map((one) => (one as { session: SessionRecord }).session)
          .toSorted((a, b) => b.authAt - a.authAt || (a.id < b.id ? -1 : 1));
      },
      async rotate(rotation) {
        const { sessionId, generation, presentedDigest, successorDigest, sealedSuccessor } = rotation;
        const { idleMs, graceMs, onReuse } = rotation;
        const args = [generation, presentedDigest, successorDigest, sealedSuccessor, idleMs, graceMs];
        const answer = (await link.runScript(rotateSession, keysOf(sessionId), args)) as ScriptReply;
        const session = toSessionRecord(answer);
        if (session === null) await requireStore();
        if (session === null || answer[0] === "unknown") return { outcome: "unknown" };
        if (answer[0] === "repeated") {
          return { outcome: "repeated", session, sealedSuccessor: answer[4] ?? "" };
        }
        if (answer[0] !== "reuse") return { outcome: answer[0], session } as RotationOutcome;
        await appendToLog(onReuse);
        const ended = await end(sessionId, "reuse");
        const outcome = ended.was === "live" ? "reuse" : "ended";
        return { outcome, session: ended.session ?? session };
      },
      async end(id, reason, revocation) {
        await append(revocation);
        await end(id, reason);
      },
      async endAll(subject, reason, { issuer, until }) {
        return (await endSubject({ kind: "subject", id: subject, before: 0, issuer, until }, reason)).live;
      },
    },
  };
}

async function mapInBatches<I, O>(items: readonly I[], work: (item: I) => Promise<O>): Promise<O[]> {
  const done: O[] = [];
  for (let i = 0; i < items.length; i += BATCH) {
    done.push(...(await Promise.all(items.slice(i, i + BATCH).map(work))));
  }
  return done;
}

function newestIssuedAtS(sessions: readonly (SessionRecord | null | undefined)[]): number {
  return sessions.reduce((newest, session) => Math.max(newest, session?.issuedAtS ?? 0), 0);
}

/** `null` where there is none. What never changes is read from the part that its MAC is over. */
function toSessionRecord([, now, fixed, state, successor = null]: ScriptReply): SessionRecord | null {
  if (fixed === undefined || state === undefined) return null;
  const record = JSON.parse(state) as SessionRecord;
  const inGrace = record.graceEndsAt !== null && now < record.graceEndsAt;
  const sealedSuccessor = inGrace ? successor : null;
  return Object.assign(record, JSON.parse(fixed) as SessionFacts, { sealedSuccessor });
}

export function toHashFields(record: SessionRecord): [fixed: string, state: string] {
  const { id, subject, authAt, absoluteExpiresAt, facts, mac, sealedSuccessor: _, ...changing } = record;
  const fixed: SessionFacts = { id, subject, authAt, absoluteExpiresAt, facts, mac };
  // Scripts look at the state only.
  return [JSON.stringify(fixed), JSON.stringify({ ...changing, absoluteExpiresAt })];
}
