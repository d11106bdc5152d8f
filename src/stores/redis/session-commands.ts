import { EXPIRED_RETENTION_MS } from "../retention.ts";
import type { Acknowledgement, EndReason, NewSession, Rotation, SessionRecord } from "../session-store.ts";
import type { RedisConnection } from "./connection.ts";
import {
  acknowledgeSession,
  createSession,
  cutOffSubject,
  delistSessions,
  endSession,
  listedSessions,
  listSession,
  readSession,
  rotateSession,
} from "./session-scripts.ts";
import { formatSession, parseSession } from "./session-text.ts";

/** The reply of a script on a session. */
type ScriptReply = readonly [outcome: string, now: number, session?: string, successor?: string];

/** The reply of a script: its outcome, and the session if it exists. */
export interface SessionReply {
  readonly outcome: string;
  /** The store's time. */
  readonly now: number;
  readonly session: SessionRecord | null;
  /** The sealed successor. `null` unless the outcome is `repeated`. */
  readonly successor: string | null;
}

/** The cut-off that ends a session. */
export interface EndingCutoff {
  readonly subject: string;
  /** The moment of the cut-off, epoch ms. */
  readonly at: number;
  /** The last `authAt` that the cut-off covers. When omitted, the cut-off covers every session of the subject. */
  readonly upTo?: number;
}

/** The second key held the sealed successor in earlier versions. */
export function sessionKeys(prefix: string, id: string): string[] {
  return [`${prefix}{session:${id}}`, `${prefix}{session:${id}}:successor`];
}

export function subjectKeys(prefix: string, subject: string): string[] {
  return [`${prefix}{subject:${subject}}:cutoff`, `${prefix}{subject:${subject}}:sessions`];
}

/** The scripts of session-scripts.ts with typed arguments and replies. */
export class SessionCommands {
  readonly #connection: RedisConnection;
  readonly #prefix: string;

  constructor(connection: RedisConnection, prefix: string) {
    this.#connection = connection;
    this.#prefix = prefix;
  }

  /** Returns the session and the store's time. `null` when it does not exist or has expired a day ago. */
  async find(id: string): Promise<{ session: SessionRecord; now: number } | null> {
    const reply = (await this.#connection.runScript(readSession, this.#keys(id))) as ScriptReply;
    const { session, now } = toReply(reply);
    return session === null || session.idleExpiresAt <= now - EXPIRED_RETENTION_MS ? null : { session, now };
  }

  /** Stores the record for `life` ms. */
  async create(record: SessionRecord, life: number): Promise<"created" | "taken" | "superseded"> {
    const args = [record.authAt, life, formatSession(record)];
    const reply = await this.#connection.runScript(createSession, this.#keys(record.id), args);
    return reply as "created" | "taken" | "superseded";
  }

  async rotate(rotation: Rotation): Promise<SessionReply> {
    const { sessionId, generation, presentedDigest, successorDigest, sealedSuccessor } = rotation;
    const { lostAnswerMs, conflictMs, issuedAt, expiresAt } = rotation;
    const token = [generation, presentedDigest, successorDigest, sealedSuccessor];
    const args = [...token, lostAnswerMs, conflictMs, issuedAt ?? "", expiresAt ?? ""];
    return toReply(
      (await this.#connection.runScript(rotateSession, this.#keys(sessionId), args)) as ScriptReply,
    );
  }

  async acknowledge({
    sessionId,
    generation,
    digest,
  }: Acknowledgement): Promise<"acknowledged" | "unchanged"> {
    const args = [generation, digest ?? ""];
    const reply = await this.#connection.runScript(acknowledgeSession, this.#keys(sessionId), args);
    // The reply is a list when the session does not exist.
    return reply === "acknowledged" ? reply : "unchanged";
  }

  /** Ends the session. The outcome is `live` or `over` as it was before, `ended`, or `unknown`. */
  async end(id: string, reason: EndReason, cutoff?: EndingCutoff): Promise<SessionReply> {
    const args = [reason, cutoff?.subject ?? "", cutoff?.at ?? "", cutoff?.upTo ?? ""];
    return toReply((await this.#connection.runScript(endSession, this.#keys(id), args)) as ScriptReply);
  }

  /**
   * Lists a session under its subject before it is created. Returns the store's time, whether the cut-off of the
   * subject covers the session, and the cut-off itself if there is one.
   */
  async list({ id, subject, authAt, absoluteExpiresAt }: NewSession): Promise<{
    now: number;
    isCutOff: boolean;
    cutoff: { at: number; before: number } | null;
  }> {
    const args = [id, authAt, absoluteExpiresAt];
    const reply = await this.#connection.runScript(listSession, this.#subjectKeys(subject), args);
    const [now, isCutOff, at, before] = reply as [number, number, string?, string?];
    const cutoff = typeof at === "string" ? { at: Number(at), before: Number(before) } : null;
    return { now, isCutOff: isCutOff === 1, cutoff };
  }

  async listIds(subject: string): Promise<readonly string[]> {
    return (await this.#connection.runScript(listedSessions, this.#subjectKeys(subject))) as string[];
  }

  /** Takes ended sessions off the list. A failure is ignored: they then stay listed until they would have expired. */
  async delist(subject: string, ids: readonly string[]): Promise<void> {
    try {
      await this.#connection.runScript(delistSessions, this.#subjectKeys(subject), ids);
    } catch {
      // The list is longer than necessary, and nothing else.
    }
  }

  /**
   * Records the subject's cut-off at `moment`, which is now by default. Returns the cut-off, which is never lower than
   * the last one, and the ids of the listed sessions.
   */
  async cutOff(
    subject: string,
    { before, until, moment }: { before: number; until: number; moment?: number },
  ): Promise<{ at: number; before: number; ids: readonly string[] }> {
    const args = [before, until, moment ?? ""];
    const reply = await this.#connection.runScript(cutOffSubject, this.#subjectKeys(subject), args);
    const [at, covered, ids] = reply as [number, number, string[]];
    return { at, before: covered, ids };
  }

  #keys(id: string): string[] {
    return sessionKeys(this.#prefix, id);
  }

  #subjectKeys(subject: string): string[] {
    return subjectKeys(this.#prefix, subject);
  }
}

function toReply([outcome, now, text, successor]: ScriptReply): SessionReply {
  const session = text === undefined ? null : parseSession(text, now);
  return { outcome, now, session, successor: successor ?? null };
}
