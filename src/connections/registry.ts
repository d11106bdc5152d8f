import type { CallOptions, Rules } from "../core/rules.ts";
import type { Instant } from "../core/clock.ts";
import { connectionEvents, type ConnectionEvent } from "../core/events.ts";
import {
  unavailableVerdict,
  type Decision,
  type JwtClaims,
  type UnavailableVerdict,
} from "../core/verdict.ts";
import type { Admission, Guard } from "../guard/types.ts";
import type { CloseError } from "./close-codes.ts";
import type { ConnectionsSettings } from "./settings.ts";
import type { Connection, ConnectionsStatus, Limited, Refusal } from "./types.ts";

export type ValidVerdict<C> = NonNullable<Connection<C>["auth"]>;

/** A connection as the house and the patrol see it. */
export interface RegisteredConnection<C> {
  readonly auth: ValidVerdict<C> | null;
  readonly isAwaitingToken: boolean;
  reevaluate(): boolean;
  isRecheckDue(now: Instant): boolean;
  recheck(): Promise<void>;
  close(error: CloseError): void;
}

/** Somebody who has to refresh first is back within this time. */
const SHORT_RETRY_MS = 1_000;

/** All live connections, and whether there is room for another. */
export class ConnectionRegistry<C> {
  readonly settings: ConnectionsSettings;
  readonly connections: Set<RegisteredConnection<C>> = new Set();
  readonly #guard: Guard<C>;
  /** Connections by issuer and subject. */
  readonly #subjects = new Map<string, number>();
  readonly #closed: Record<number, number> = {};
  /** Those without a token, in the order in which they came. */
  readonly #pending = new Set<RegisteredConnection<C>>();
  #handshakes = 0;
  #refreshed = 0;
  #limited = 0;
  /** Set when nobody is let in any more. */
  isDraining = false;

  constructor(guard: Guard<C>, settings: ConnectionsSettings) {
    this.#guard = guard;
    this.settings = settings;
  }

  async admit(token: string, rules: (Rules & CallOptions) | undefined): Promise<Admission<C> | Refusal<C>> {
    if (this.isDraining)
      return unavailableVerdict("closed", this.drawRetryAfterMs("try_later", 0) ?? undefined);
    const { max, maxPending } = this.settings;
    const isFull = this.connections.size + this.#handshakes >= max || this.#handshakes >= maxPending;
    if (isFull) return this.#refuseLimited();
    this.#handshakes++;
    try {
      const outcome = await this.#guard.admit(token, rules);
      if (outcome.status !== "admitted") return outcome;
      const decision = outcome.current();
      if (decision.status !== "valid") return decision;
      return this.#isSubjectFull(decision) ? this.#refuseLimited() : outcome;
    } finally {
      this.#handshakes--;
    }
  }

  /** For a connection that is there. Never rejects. */
  async callGuard<T>(question: (guard: Guard<C>) => Promise<T>): Promise<T | UnavailableVerdict> {
    try {
      return await question(this.#guard);
    } catch {
      return unavailableVerdict("closed");
    }
  }

  /** What an admission says now. Never throws, or one that did would keep all others from being looked at. */
  currentDecision(admission: Admission<C>): Decision<C> {
    try {
      return admission.current();
    } catch {
      return unavailableVerdict("closed");
    }
  }

  /** One without a token. Where there is no room, the one that has been silent longest makes it: who speaks soon gets in. */
  addPending(connection: RegisteredConnection<C>): void {
    const { max, maxPending } = this.settings;
    this.#pending.add(connection);
    if (this.#pending.size <= maxPending && this.connections.size <= max) return;
    this.#recordLimited();
    for (const one of this.#pending) {
      if (!one.isAwaitingToken) continue;
      one.close("too_many");
      return;
    }
  }

  /** Counts a connection as open. False when its subject has too many, or all together are. */
  tryOpen(connection: RegisteredConnection<C>, auth: ValidVerdict<C>): boolean {
    if (this.connections.size > this.settings.max || this.#isSubjectFull(auth)) {
      this.#recordLimited();
      return false;
    }
    this.#pending.delete(connection);
    const key = subjectKey(auth);
    this.#subjects.set(key, (this.#subjects.get(key) ?? 0) + 1);
    this.#emit("opened", auth);
    return true;
  }

  /** `code`: of the closing; `null` when the peer went. */
  remove(connection: RegisteredConnection<C>, auth: ValidVerdict<C> | null, code: number | null): void {
    this.connections.delete(connection);
    this.#pending.delete(connection);
    if (code !== null) this.#closed[code] = (this.#closed[code] ?? 0) + 1;
    if (auth !== null) {
      const key = subjectKey(auth);
      const others = (this.#subjects.get(key) ?? 1) - 1;
      if (others > 0) this.#subjects.set(key, others);
      else this.#subjects.delete(key);
    }
    this.#emit("closed", auth, code);
  }

  recordRefresh(auth: ValidVerdict<C>): void {
    this.#refreshed++;
    this.#emit("refreshed", auth);
  }

  /** Whether both are of one subject. */
  isSameSubject(one: ValidVerdict<C> | null, other: ValidVerdict<C>): boolean {
    return one !== null && subjectKey(one) === subjectKey(other);
  }

  /** When to come back; everybody at another time. `null` for those who need not. */
  drawRetryAfterMs(error: CloseError, atLeastMs: number): number | null {
    const { random, spreadMs } = this.settings;
    if (error === "token_expired" || error === "token_missing")
      return random() * Math.min(SHORT_RETRY_MS, spreadMs);
    return error === "too_many" || error === "try_later" ? atLeastMs + random() * spreadMs : null;
  }

  status(): ConnectionsStatus {
    let degraded = 0;
    for (const { auth } of this.connections) if (auth !== null && auth.degraded !== null) degraded++;
    return {
      open: this.connections.size - this.#pending.size,
      pending: this.#handshakes + this.#pending.size,
      degraded,
      subjects: this.#subjects.size,
      refreshed: this.#refreshed,
      limited: this.#limited,
      closed: { ...this.#closed },
    };
  }

  #isSubjectFull(auth: ValidVerdict<C>): boolean {
    // A policy can waive the subject: then there is none that could have too many.
    const there = this.#subjects.get(subjectKey(auth)) ?? 0;
    return auth.subject !== "" && there >= this.settings.maxPerSubject;
  }

  #recordLimited(): void {
    this.#limited++;
    this.#emit("limited", null);
  }

  #refuseLimited(): Limited {
    this.#recordLimited();
    return {
      status: "limited",
      retryAfterMs: this.drawRetryAfterMs("too_many", SHORT_RETRY_MS) ?? SHORT_RETRY_MS,
    };
  }

  #emit(event: ConnectionEvent["event"], auth: ValidVerdict<C> | null, code: number | null = null): void {
    if (!connectionEvents.hasSubscribers) return;
    const degraded = auth !== null && auth.degraded !== null;
    connectionEvents.publish({ guard: this.#guard.name, event, code, degraded });
  }
}

/** Subjects of two issuers are two, and so are clients whose tokens name no subject. */
function subjectKey<C>({ claims, subject }: ValidVerdict<C>): string {
  const { iss = "", client_id = "" } = claims as JwtClaims;
  return `${iss}\n${subject}\n${subject === "" ? client_id : ""}`;
}
