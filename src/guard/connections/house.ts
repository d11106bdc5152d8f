import type { Instant } from "../../core/clock.ts";
import { connectionEvents, type ConnectionEvent } from "../../core/events.ts";
import { unavailable, type Decision, type JwtClaims, type Unavailable } from "../../core/verdict.ts";
import type { Admission, Call, Guard, Rules } from "../types.ts";
import type { CloseError } from "./close-codes.ts";
import type { ConnectionsSettings } from "./settings.ts";
import type { Connection, ConnectionsStatus, Limited, Refusal } from "./types.ts";

export type Auth<C> = NonNullable<Connection<C>["auth"]>;

/** A connection as the house and the patrol see it. */
export interface Member<C> {
  readonly auth: Auth<C> | null;
  readonly isSilent: boolean;
  review(): boolean;
  isDue(now: Instant): boolean;
  recheck(): Promise<void>;
  close(error: CloseError): void;
}

/** Somebody who has to refresh first is back within this time. */
const SOON_MS = 1_000;

/** All live connections, and whether there is room for another. */
export class House<C> {
  readonly settings: ConnectionsSettings;
  readonly members: Set<Member<C>> = new Set();
  readonly #guard: Guard<C>;
  /** Connections by issuer and subject. */
  readonly #subjects = new Map<string, number>();
  readonly #closed: Record<number, number> = {};
  /** Those without a token, in the order in which they came. */
  readonly #waiting = new Set<Member<C>>();
  #handshakes = 0;
  #refreshed = 0;
  #limited = 0;
  /** Set when nobody is let in any more. */
  isLeaving = false;

  constructor(guard: Guard<C>, settings: ConnectionsSettings) {
    this.#guard = guard;
    this.settings = settings;
  }

  async admit(token: string, rules: (Rules & Call) | undefined): Promise<Admission<C> | Refusal<C>> {
    if (this.isLeaving) return unavailable("closed", this.hintMs("try_later", 0) ?? undefined);
    const { max, maxPending } = this.settings;
    const isFull = this.members.size + this.#handshakes >= max || this.#handshakes >= maxPending;
    if (isFull) return this.#full();
    this.#handshakes++;
    try {
      const outcome = await this.#guard.admit(token, rules);
      if (outcome.status !== "admitted") return outcome;
      const decision = outcome.current();
      if (decision.status !== "valid") return decision;
      return this.#isCrowded(decision) ? this.#full() : outcome;
    } finally {
      this.#handshakes--;
    }
  }

  /** For a connection that is there. Never rejects. */
  async ask<T>(question: (guard: Guard<C>) => Promise<T>): Promise<T | Unavailable> {
    try {
      return await question(this.#guard);
    } catch {
      return unavailable("closed");
    }
  }

  /** What an admission says now. Never throws, or one that did would keep all others from being looked at. */
  current(admission: Admission<C>): Decision<C> {
    try {
      return admission.current();
    } catch {
      return unavailable("closed");
    }
  }

  /** One without a token. Where there is no room, the one that has been silent longest makes it: who speaks soon gets in. */
  wait(connection: Member<C>): void {
    const { max, maxPending } = this.settings;
    this.#waiting.add(connection);
    if (this.#waiting.size <= maxPending && this.members.size <= max) return;
    this.#limit();
    for (const one of this.#waiting) {
      if (!one.isSilent) continue;
      one.close("too_many");
      return;
    }
  }

  /** Counts a connection as open. False when its subject has too many, or all together are. */
  enter(connection: Member<C>, auth: Auth<C>): boolean {
    if (this.members.size > this.settings.max || this.#isCrowded(auth)) {
      this.#limit();
      return false;
    }
    this.#waiting.delete(connection);
    const key = keyOf(auth);
    this.#subjects.set(key, (this.#subjects.get(key) ?? 0) + 1);
    this.#tell("opened", auth);
    return true;
  }

  /** `code`: of the closing; `null` when the peer went. */
  leave(connection: Member<C>, auth: Auth<C> | null, code: number | null): void {
    this.members.delete(connection);
    this.#waiting.delete(connection);
    if (code !== null) this.#closed[code] = (this.#closed[code] ?? 0) + 1;
    if (auth !== null) {
      const key = keyOf(auth);
      const others = (this.#subjects.get(key) ?? 1) - 1;
      if (others > 0) this.#subjects.set(key, others);
      else this.#subjects.delete(key);
    }
    this.#tell("closed", auth, code);
  }

  refreshed(auth: Auth<C>): void {
    this.#refreshed++;
    this.#tell("refreshed", auth);
  }

  /** Whether both are of one subject. */
  isSame(one: Auth<C> | null, other: Auth<C>): boolean {
    return one !== null && keyOf(one) === keyOf(other);
  }

  /** When to come back; everybody at another time. `null` for those who need not. */
  hintMs(error: CloseError, atLeastMs: number): number | null {
    const { random, spreadMs } = this.settings;
    if (error === "token_expired" || error === "token_missing") return random() * Math.min(SOON_MS, spreadMs);
    return error === "too_many" || error === "try_later" ? atLeastMs + random() * spreadMs : null;
  }

  status(): ConnectionsStatus {
    let degraded = 0;
    for (const { auth } of this.members) if (auth !== null && auth.degraded !== null) degraded++;
    return {
      open: this.members.size - this.#waiting.size,
      pending: this.#handshakes + this.#waiting.size,
      degraded,
      subjects: this.#subjects.size,
      refreshed: this.#refreshed,
      limited: this.#limited,
      closed: { ...this.#closed },
    };
  }

  #isCrowded(auth: Auth<C>): boolean {
    // A policy can waive the subject: then there is none that could have too many.
    const there = this.#subjects.get(keyOf(auth)) ?? 0;
    return auth.subject !== "" && there >= this.settings.maxPerSubject;
  }

  #limit(): void {
    this.#limited++;
    this.#tell("limited", null);
  }

  #full(): Limited {
    this.#limit();
    return { status: "limited", retryAfterMs: this.hintMs("too_many", SOON_MS) ?? SOON_MS };
  }

  #tell(event: ConnectionEvent["event"], auth: Auth<C> | null, code: number | null = null): void {
    if (!connectionEvents.hasSubscribers) return;
    const degraded = auth !== null && auth.degraded !== null;
    connectionEvents.publish({ guard: this.#guard.name, event, code, degraded });
  }
}

/** Subjects of two issuers are two, and so are clients whose tokens name no subject. */
function keyOf<C>({ claims, subject }: Auth<C>): string {
  const { iss = "", client_id = "" } = claims as JwtClaims;
  return `${iss}\n${subject}\n${subject === "" ? client_id : ""}`;
}
