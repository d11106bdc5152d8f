import { HoldfastError } from "../../core/errors.ts";
import type { Revocation, RevocationEntry } from "../../core/revocation.ts";
import type { EndReason, RotationOutcome, SessionFacts, SessionRecord, SessionStore } from "../contracts.ts";
import { PRUNE_SLACK_MS } from "../retention.ts";
import { isLive, startSession } from "../rotation.ts";
import type { Link } from "./link.ts";
import {
  createSession,
  cutOffSubject,
  endSession,
  listedSessions,
  listSession,
  readSession,
  rotateSession,
} from "./session-scripts.ts";

/** JSON of the facts, and of the rest of the record but its sealed successor. */
type Answer = readonly [
  outcome: string,
  now: number,
  fixed?: string,
  state?: string,
  successor?: string | null,
];

export interface SessionParts {
  readonly store: SessionStore;
  /** Ends what a revocation ends, then appends it. A subject's is its cut-off, too. */
  readonly append: (revocation: Revocation) => Promise<RevocationEntry>;
  /** Ends once more what an entry ended: the server that took over may not have heard of it. */
  readonly endAgain: (entry: RevocationEntry) => Promise<void>;
}

export interface SessionContext {
  readonly link: Link;
  readonly prefix: string;
  /** Appends to the log; nothing else. */
  readonly log: (revocation: Revocation) => Promise<RevocationEntry>;
  /** Rejects with `store_emptied` when the store is not the one that was opened. */
  readonly requireStore: () => Promise<unknown>;
}

export function redisSessions({ link, prefix, log, requireStore }: SessionContext): SessionParts {
  const keysOf = (id: string) => [`${prefix}{session:${id}}`, `${prefix}{session:${id}}:successor`];
  const keysOfSubject = (subject: string) => [
    `${prefix}{subject:${subject}}:cutoff`,
    `${prefix}{subject:${subject}}:sessions`,
  ];

  async function find(id: string): Promise<{ session: SessionRecord; now: number } | null> {
    const answer = (await link.run(readSession, keysOf(id))) as Answer;
    const session = toRecord(answer);
    const now = answer[1];
    return session === null || session.idleExpiresAt <= now - PRUNE_SLACK_MS ? null : { session, now };
  }

  async function finish(id: string, reason: EndReason, cut: readonly (string | number)[] = []) {
    const [subject = "", at = "", upTo = ""] = cut;
    const answer = (await link.run(endSession, keysOf(id), [reason, subject, at, upTo])) as Answer;
    return { was: answer[0], session: toRecord(answer) };
  }

  /**
   * The sessions go first: only when none of them can be refreshed any more is it known which `iat` the log's
   * entry has to cover. With `moment` it is done once more, and spares what began later.
   */
  async function cutOff(
    revocation: Revocation & { kind: "subject" },
    reason: EndReason,
    moment: number | "" = "",
  ) {
    const { id: subject, until } = revocation;
    const keys = keysOfSubject(subject);
    const cut = async (before: number, at: number | "") =>
      (await link.run(cutOffSubject, keys, [before, until, at])) as [number, number, string[]];
    const [at, least, ids] = await cut(revocation.before, moment);
    const ended = await Promise.all(ids.map(async (id) => await finish(id, reason, [subject, at, moment])));
    const before = ended.reduce((max, { session }) => Math.max(max, session?.issuedAtS ?? 0), least);
    // The clock was set back since, or there was a cut-off in this very second.
    if (before > least) await cut(before, at);
    return {
      revocation: { ...revocation, before },
      live: ended.filter(({ was }) => was === "live").length,
    };
  }

  async function append(revocation: Revocation): Promise<RevocationEntry> {
    if (revocation.kind !== "subject") return await log(revocation);
    return await log((await cutOff(revocation, "revoked")).revocation);
  }

  return {
    append,
    async endAgain({ revocation, at }) {
      if (revocation.kind === "session") await finish(revocation.id, "revoked");
      if (revocation.kind === "subject") await cutOff(revocation, "revoked", at);
    },
    store: {
      async create(session) {
        const { id, subject, authAt, absoluteExpiresAt } = session;
        const args = [id, authAt, absoluteExpiresAt];
        const [listed] = await Promise.all([
          link.run(listSession, keysOfSubject(subject), args) as Promise<[number, number, string?, string?]>,
          requireStore(),
        ]);
        const [now, superseded, at, before] = listed;
        if (superseded === 1) return { status: "superseded" };
        const cutoff = typeof at === "string" ? { at: Number(at), before: Number(before) } : null;
        const record = startSession(session, now, cutoff);
        if (record === null) return { status: "superseded" };
        const life = Math.max(1, record.idleExpiresAt - now + PRUNE_SLACK_MS);
        const made = await link.run(createSession, keysOf(id), [authAt, life, ...toTexts(record)]);
        if (made === "taken") throw new HoldfastError("invalid_option", "session.id is taken already");
        return made === "created" ? { status: "created", session: record } : { status: "superseded" };
      },
      async get(id) {
        const found = await find(id);
        if (found === null) await requireStore();
        return found && found.session;
      },
      async listBySubject(subject) {
        const ids = (await link.run(listedSessions, keysOfSubject(subject))) as string[];
        if (ids.length === 0) await requireStore();
        const found = await Promise.all(ids.map(find));
        return found
          .filter((one) => one !== null && one.session.subject === subject && isLive(one.session, one.now))
          .map((one) => (one as { session: SessionRecord }).session)
          .toSorted((a, b) => b.authAt - a.authAt || (a.id < b.id ? -1 : 1));
      },
      async rotate(rotation) {
        const { sessionId, generation, presentedDigest, successorDigest, sealedSuccessor } = rotation;
        const { idleMs, graceMs, onReuse } = rotation;
        const args = [generation, presentedDigest, successorDigest, sealedSuccessor, idleMs, graceMs];
        const answer = (await link.run(rotateSession, keysOf(sessionId), args)) as Answer;
        const session = toRecord(answer);
        if (session === null) await requireStore();
        if (session === null || answer[0] === "unknown") return { outcome: "unknown" };
        if (answer[0] === "repeated") {
          return { outcome: "repeated", session, sealedSuccessor: answer[4] ?? "" };
        }
        if (answer[0] !== "reuse") return { outcome: answer[0], session } as RotationOutcome;
        await log(onReuse);
        const ended = await finish(sessionId, "reuse");
        const outcome = ended.was === "live" ? "reuse" : "ended";
        return { outcome, session: ended.session ?? session };
      },
      async end(id, reason, revocation) {
        await append(revocation);
        await finish(id, reason);
      },
      async endAll(subject, reason, { issuer, until }) {
        const cut = await cutOff({ kind: "subject", id: subject, before: 0, issuer, until }, reason);
        await log(cut.revocation);
        return cut.live;
      },
    },
  };
}

/** `null` where there is none. What never changes is read from the part that its MAC is over. */
function toRecord([, now, fixed, state, successor = null]: Answer): SessionRecord | null {
  if (fixed === undefined || state === undefined) return null;
  const record = JSON.parse(state) as SessionRecord;
  const inGrace = record.graceEndsAt !== null && now < record.graceEndsAt;
  const sealedSuccessor = inGrace ? successor : null;
  return Object.assign(record, JSON.parse(fixed) as SessionFacts, { sealedSuccessor });
}

function toTexts(record: SessionRecord): [fixed: string, state: string] {
  const { id, subject, authAt, absoluteExpiresAt, facts, mac, sealedSuccessor: _, ...changing } = record;
  const fixed: SessionFacts = { id, subject, authAt, absoluteExpiresAt, facts, mac };
  // Scripts look at the state only.
  return [JSON.stringify(fixed), JSON.stringify({ ...changing, absoluteExpiresAt })];
}
