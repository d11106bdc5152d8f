import type { EndReason, NewSession, Rotation, RotationOutcome } from "../../src/stores/session-store.ts";

export type Outcome = RotationOutcome["outcome"];

/** A refresh token that was rotated. */
interface SpentToken {
  /** End of its grace, which starts at its first rotation. */
  readonly graceEndsAt: number;
  /** Whether the store still has its sealed successor, which pruning erases after the grace. */
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

  constructor({ id, subject, authAt, absoluteExpiresAt, idleMs }: NewSession, now: number) {
    this.id = id;
    this.subject = subject;
    this.authAt = authAt;
    this.absoluteExpiresAt = absoluteExpiresAt;
    this.idleExpiresAt = Math.min(now + idleMs, absoluteExpiresAt);
  }

  /** Returns the rotated token while it is within grace, and `null` otherwise. */
  inGrace(generation: number, now: number): SpentToken | null {
    const spent = this.spent.get(generation);
    return spent !== undefined && now < spent.graceEndsAt ? spent : null;
  }
}

/** An independent implementation of the rotation protocol, as documented. */
export class Model {
  readonly sessions: Map<string, ModelSession> = new Map();
  /** The cut-off of each subject. */
  readonly cutoffs: Map<string, { readonly at: number; readonly until: number }> = new Map();

  create(session: NewSession, now: number): "created" | "superseded" {
    if (session.authAt <= this.#cutoff(session.subject) || session.authAt > now) return "superseded";
    this.sessions.set(session.id, new ModelSession(session, now));
    return "created";
  }

  /** Returns the expected outcome of a presentation, and changes nothing. */
  expected({ sessionId, generation }: Rotation, now: number): Outcome {
    const session = this.sessions.get(sessionId);
    if (session === undefined || session.removed) return "unknown";
    if (!this.isLive(session, now)) return "ended";
    const behind = session.currentGeneration - generation;
    if (behind < 0) return "unknown";
    if (behind === 0) return "rotated";
    const spent = session.inGrace(generation, now);
    if (spent === null || behind > 2) return "reuse";
    return behind === 1 && spent.sealed ? "repeated" : "conflict";
  }

  /** Applies a presentation with its outcome. */
  apply({ sessionId, generation, graceMs, idleMs }: Rotation, outcome: Outcome, now: number): void {
    const session = this.sessions.get(sessionId);
    if (session === undefined) return;
    if (outcome === "reuse") session.ending = "reuse";
    if (outcome !== "rotated") return;
    session.spent.set(generation, { graceEndsAt: now + graceMs, sealed: true });
    session.currentGeneration = generation + 1;
    session.idleExpiresAt = Math.min(now + idleMs, session.absoluteExpiresAt);
  }

  end(id: string, reason: EndReason): void {
    const session = this.sessions.get(id);
    if (session !== undefined) session.ending ??= reason;
  }

  endAll(subject: string, reason: EndReason, now: number, until: number): void {
    const last = this.cutoffs.get(subject) ?? { at: 0, until: 0 };
    this.cutoffs.set(subject, { at: Math.max(now, last.at), until: Math.max(until, last.until) });
    for (const session of this.sessions.values()) {
      if (session.subject === subject) session.ending ??= reason;
    }
  }

  prune(now: number, retentionMs: number): void {
    for (const session of this.sessions.values()) {
      if (session.idleExpiresAt <= now - retentionMs) session.removed = true;
      for (const spent of session.spent.values()) if (spent.graceEndsAt <= now) spent.sealed = false;
    }
    for (const [subject, { until }] of this.cutoffs) {
      if (until <= now - retentionMs) this.cutoffs.delete(subject);
    }
  }

  isLive(session: ModelSession, now: number): boolean {
    const isAfterCutoff = session.authAt > this.#cutoff(session.subject);
    return isAfterCutoff && session.ending === null && !session.removed && now < session.idleExpiresAt;
  }

  #cutoff(subject: string): number {
    return this.cutoffs.get(subject)?.at ?? 0;
  }
}
