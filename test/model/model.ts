import type { EndReason, NewSession, Rotation, RotationOutcome } from "../../src/stores/store.ts";

export type Outcome = RotationOutcome["outcome"];

/** A refresh token that was rotated. */
interface SpentToken {
  /** Its window, from its first rotation on: store's clock. */
  readonly graceEndsAt: number;
  /** Whether its successor can still be given again: pruning erases it when the window is over. */
  sealed: boolean;
}

/** One session, from what was presented when. Nothing in it is read from a store. */
export class ModelSession {
  readonly id: string;
  readonly subject: string;
  readonly authAt: number;
  readonly absoluteExpiresAt: number;
  idleExpiresAt: number;
  /** Generation of the one live refresh token. */
  currentGeneration = 1;
  ending: EndReason | null = null;
  /** Pruned: over for a day. */
  removed = false;
  /** By generation. */
  readonly spent: Map<number, SpentToken> = new Map();

  constructor({ id, subject, authAt, absoluteExpiresAt, idleMs }: NewSession, now: number) {
    this.id = id;
    this.subject = subject;
    this.authAt = authAt;
    this.absoluteExpiresAt = absoluteExpiresAt;
    this.idleExpiresAt = Math.min(now + idleMs, absoluteExpiresAt);
  }

  /** The window of a spent generation, while it is open. */
  inGrace(generation: number, now: number): SpentToken | null {
    const spent = this.spent.get(generation);
    return spent !== undefined && now < spent.graceEndsAt ? spent : null;
  }
}

/** The protocol once more, as its documentation tells it. */
export class Model {
  readonly sessions: Map<string, ModelSession> = new Map();
  /** By subject, what its sessions must have begun after. */
  readonly cutoffs: Map<string, { readonly at: number; readonly until: number }> = new Map();

  create(session: NewSession, now: number): "created" | "superseded" {
    if (session.authAt <= this.#cutoff(session.subject) || session.authAt > now) return "superseded";
    this.sessions.set(session.id, new ModelSession(session, now));
    return "created";
  }

  /** What a presentation must come to. Changes nothing. */
  expected({ sessionId, generation }: Rotation, now: number): Outcome {
    const session = this.sessions.get(sessionId);
    if (session === undefined || session.removed) return "unknown";
    if (!this.isLive(session, now)) return "ended";
    const behind = session.currentGeneration - generation;
    if (behind < 0) return "unknown";
    if (behind === 0) return "rotated";
    const excused = session.inGrace(generation, now);
    if (excused === null || behind > 2) return "reuse";
    return behind === 1 && excused.sealed ? "repeated" : "conflict";
  }

  /** What it changes. */
  apply({ sessionId, generation, graceMs, idleMs }: Rotation, said: Outcome, now: number): void {
    const session = this.sessions.get(sessionId);
    if (session === undefined) return;
    if (said === "reuse") session.ending = "reuse";
    if (said !== "rotated") return;
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

  prune(now: number, slackMs: number): void {
    for (const session of this.sessions.values()) {
      if (session.idleExpiresAt <= now - slackMs) session.removed = true;
      for (const spent of session.spent.values()) if (spent.graceEndsAt <= now) spent.sealed = false;
    }
    for (const [subject, { until }] of this.cutoffs) {
      if (until <= now - slackMs) this.cutoffs.delete(subject);
    }
  }

  isLive(session: ModelSession, now: number): boolean {
    const begun = session.authAt > this.#cutoff(session.subject);
    return begun && session.ending === null && !session.removed && now < session.idleExpiresAt;
  }

  #cutoff(subject: string): number {
    return this.cutoffs.get(subject)?.at ?? 0;
  }
}
