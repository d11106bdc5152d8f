import type {
  Acknowledgement,
  EndReason,
  NewSession,
  Rotation,
  RotationOutcome,
} from "../../src/stores/session-store.ts";

export type Outcome = RotationOutcome["outcome"];

/** A refresh token that was rotated. */
interface SpentToken {
  /** Until then it gets the same successor, if that did not arrive. The time starts at its first rotation. */
  readonly lostAnswerEndsAt: number;
  /** Whether the store still has its sealed successor, which pruning erases after that time. */
  sealed: boolean;
}

/** A session, derived from the commands alone and never read from a store. */
export class ModelSession {
  readonly id: string;
  readonly subject: string;
  readonly authAt: number;
  readonly absoluteExpiresAt: number;
  idleExpiresAt: number;
  /** Generation of the current refresh token. */
  currentGeneration = 1;
  ending: EndReason | null = null;
  /** Whether the session expired a day before the store was pruned. */
  removed = false;
  /** The rotated tokens, by generation. */
  readonly spent: Map<number, SpentToken> = new Map();
  /** When the client was first known to have the token of each generation. */
  readonly arrivedAt: Map<number, number> = new Map();
  readonly #idleMs: number;

  constructor({ id, subject, authAt, absoluteExpiresAt, idleMs }: NewSession, now: number) {
    this.id = id;
    this.subject = subject;
    this.authAt = authAt;
    this.absoluteExpiresAt = absoluteExpiresAt;
    this.#idleMs = idleMs;
    this.idleExpiresAt = Math.min(now + idleMs, absoluteExpiresAt);
  }

  /** Whether the previous token gets its successor again. */
  canRepeat(now: number): boolean {
    const spent = this.spent.get(this.currentGeneration - 1);
    if (spent === undefined || this.arrivedAt.has(this.currentGeneration)) return false;
    return spent.sealed && now < spent.lostAnswerEndsAt;
  }

  rotate({ generation, lostAnswerMs }: Rotation, now: number): void {
    if (!this.arrivedAt.has(generation)) this.arrivedAt.set(generation, now);
    this.spent.set(generation, { lostAnswerEndsAt: now + lostAnswerMs, sealed: true });
    this.currentGeneration = generation + 1;
    this.idleExpiresAt = Math.min(now + this.#idleMs, this.absoluteExpiresAt);
  }
}

/** An independent implementation of the rotation protocol, as documented. */
export class Model {
  readonly sessions: Map<string, ModelSession> = new Map();
  /** The cut-off of each subject. */
  readonly cutoffs: Map<string, { readonly order: number; readonly until: number }> = new Map();
  /** Counts cut-offs. */
  cutoffCount: number = 0;
  /** The number of cut-offs that preceded each mark. */
  readonly #marks = new Map<number, number>();

  /** Records a mark that the store has returned after `cutoffCount` cut-offs. */
  mark(mark: number, cutoffCount: number): void {
    this.#marks.set(mark, cutoffCount);
  }

  create(session: NewSession, now: number): "created" | "superseded" {
    if ((this.#marks.get(session.mark) ?? 0) < this.#cutoff(session.subject)) return "superseded";
    this.sessions.set(session.id, new ModelSession(session, now));
    return "created";
  }

  /** Returns the expected outcome of a presentation, and changes nothing. */
  expected({ sessionId, generation, conflictMs }: Rotation, now: number): Outcome {
    const session = this.sessions.get(sessionId);
    if (session === undefined || session.removed) return "unknown";
    if (!this.isLive(session, now)) return "ended";
    const behind = session.currentGeneration - generation;
    if (behind < 0) return "resumed";
    if (behind === 0) return "rotated";
    const successorArrivedAt = session.arrivedAt.get(generation + 1);
    if (successorArrivedAt === undefined) {
      if (now >= (session.spent.get(generation)?.lostAnswerEndsAt ?? 0)) return "late";
      return session.canRepeat(now) ? "repeated" : "conflict";
    }
    return behind <= 2 && now < successorArrivedAt + conflictMs ? "conflict" : "reuse";
  }

  /** Applies a presentation with its outcome. */
  apply(rotation: Rotation, outcome: Outcome, now: number): void {
    const session = this.sessions.get(rotation.sessionId);
    if (session === undefined) return;
    if (outcome === "reuse") session.ending = "reuse";
    if (outcome === "rotated") session.rotate(rotation, now);
  }

  acknowledge({ sessionId, generation }: Acknowledgement, now: number): "acknowledged" | "unchanged" {
    const session = this.sessions.get(sessionId);
    if (session === undefined || !this.isLive(session, now)) return "unchanged";
    if (generation !== session.currentGeneration || generation === 1) return "unchanged";
    if (session.arrivedAt.has(generation)) return "unchanged";
    session.arrivedAt.set(generation, now);
    return "acknowledged";
  }

  end(id: string, reason: EndReason): void {
    const session = this.sessions.get(id);
    if (session !== undefined) session.ending ??= reason;
  }

  endAll(subject: string, reason: EndReason, until: number): void {
    const last = this.cutoffs.get(subject) ?? { until: 0 };
    this.cutoffs.set(subject, { order: ++this.cutoffCount, until: Math.max(until, last.until) });
    for (const session of this.sessions.values()) {
      if (session.subject === subject) session.ending ??= reason;
    }
  }

  prune(now: number, retentionMs: number): void {
    for (const session of this.sessions.values()) {
      if (session.idleExpiresAt <= now - retentionMs) session.removed = true;
      for (const spent of session.spent.values()) if (spent.lostAnswerEndsAt <= now) spent.sealed = false;
    }
    for (const [subject, { until }] of this.cutoffs) {
      if (until <= now - retentionMs) this.cutoffs.delete(subject);
    }
  }

  isLive(session: ModelSession, now: number): boolean {
    return session.ending === null && !session.removed && now < session.idleExpiresAt;
  }

  #cutoff(subject: string): number {
    return this.cutoffs.get(subject)?.order ?? 0;
  }
}
