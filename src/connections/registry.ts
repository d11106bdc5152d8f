import type { CallOptions, Rules } from "../core/rules.ts";
import type { Instant } from "../core/clock.ts";
import { connectionEvents } from "../core/event-channels.ts";
import type { ConnectionEvent } from "../core/events.ts";
import type { MetricFamily } from "../core/metrics.ts";
import {
  unavailableVerdict,
  type Decision,
  type UnavailableVerdict,
  type ValidVerdict,
} from "../core/verdict.ts";
import type { Admission, Guard } from "../guard/types.ts";
import { closeCodes, type CloseError } from "./close-codes.ts";
import { identityKey } from "./identity-key.ts";
import { ConnectionCounts, connectionMetrics } from "./metrics.ts";
import type { ConnectionsSettings } from "./settings.ts";
import { SilentTransports } from "./silent-transports.ts";
import type { ConnectionsStatus, Limited, Refusal } from "./types.ts";

/** A connection, as the registry and the sweeper see it. */
export interface RegisteredConnection<C> {
  readonly auth: ValidVerdict<C> | null;
  readonly isAwaitingToken: boolean;
  reevaluate(): boolean;
  isRecheckDue(now: Instant): boolean;
  recheck(): Promise<void>;
  close(error: CloseError): void;
}

/** The time over which clients come back that only have to refresh their token. */
const SHORT_RETRY_MS = 1_000;

/** Holds all live connections, and enforces the limits on their number. */
export class ConnectionRegistry<C> {
  readonly settings: ConnectionsSettings<C>;
  readonly connections: Set<RegisteredConnection<C>> = new Set();
  /** The number of open connections for each subject of an issuer. */
  readonly #subjects = new Map<string, number>();
  /** The number of connections that this side closed, by close code. */
  readonly #closed: Record<number, number> = {};
  /** Connections without a token, oldest first. */
  readonly #pending = new Set<RegisteredConnection<C>>();
  readonly transports: SilentTransports;
  #handshakes = 0;
  #refreshed = 0;
  #limited = 0;
  readonly #counts = new ConnectionCounts();
  /** When the first revocation arrived that no complete sweep has followed. `null` without one. */
  #revokedAt: number | null = null;
  /** While this is set, every new connection is refused. */
  isDraining = false;

  constructor(settings: ConnectionsSettings<C>) {
    this.settings = settings;
    this.transports = new SilentTransports(settings, () => this.#recordLimited());
  }

  async admit(token: string, rules: (Rules & CallOptions) | undefined): Promise<Admission<C> | Refusal<C>> {
    if (this.isDraining) {
      return unavailableVerdict("closed", this.drawRetryAfterMs("try_later", 0) ?? undefined);
    }
    const { guard, max, maxPending } = this.settings;
    const isFull = this.connections.size + this.#handshakes >= max || this.#handshakes >= maxPending;
    if (isFull) return this.#refuseLimited();
    this.#handshakes++;
    try {
      const outcome = await guard.admit(token, rules);
      if (outcome.status !== "admitted") return outcome;
      const decision = outcome.current();
      if (decision.status !== "valid") return decision;
      return this.#isSubjectFull(decision) ? this.#refuseLimited() : outcome;
    } finally {
      this.#handshakes--;
    }
  }

  /** Calls the guard for an open connection. Never rejects: a guard that fails gives no answer. */
  async callGuard<T>(call: (guard: Guard<C>) => Promise<T>): Promise<T | UnavailableVerdict> {
    try {
      return await call(this.settings.guard);
    } catch {
      return unavailableVerdict("closed");
    }
  }

  /** The current decision of an admission. Never throws, because one failure must not end the sweep of all connections. */
  currentDecision(admission: Admission<C>): Decision<C> {
    try {
      return admission.current();
    } catch {
      return unavailableVerdict("closed");
    }
  }

  /**
   * Adds a connection without a token. At the limit it closes the connection that has waited longest for its token. A client
   * that sends its token at once still gets in.
   */
  addPending(connection: RegisteredConnection<C>): void {
    const { max, maxPending } = this.settings;
    this.#pending.add(connection);
    if (this.#pending.size <= maxPending && this.connections.size <= max) return;
    this.#recordLimited();
    for (const pending of this.#pending) {
      if (!pending.isAwaitingToken) continue;
      pending.close("too_many");
      return;
    }
  }

  /** Counts the connection as open. Returns false when a limit does not allow that. */
  tryOpen(connection: RegisteredConnection<C>, verdict: ValidVerdict<C>): boolean {
    if (this.connections.size > this.settings.max || this.#isSubjectFull(verdict)) {
      this.#recordLimited();
      return false;
    }
    this.#pending.delete(connection);
    const key = identityKey(verdict);
    if (key !== null) this.#subjects.set(key, (this.#subjects.get(key) ?? 0) + 1);
    this.#counts.opened++;
    this.#emit("opened", verdict);
    return true;
  }

  /** Removes a closed connection. `code` is `null` when the peer closed it. */
  remove(connection: RegisteredConnection<C>, verdict: ValidVerdict<C> | null, code: number | null): void {
    this.connections.delete(connection);
    this.#pending.delete(connection);
    if (code === null) this.#counts.closedByPeer++;
    else this.#closed[code] = (this.#closed[code] ?? 0) + 1;
    if (code === closeCodes.token_revoked && this.#revokedAt !== null) {
      this.#counts.closeDelays.record((this.settings.clock.monotonic() - this.#revokedAt) / 1_000);
    }
    const key = verdict === null ? null : identityKey(verdict);
    if (key !== null) {
      const others = (this.#subjects.get(key) ?? 1) - 1;
      if (others > 0) this.#subjects.set(key, others);
      else this.#subjects.delete(key);
    }
    this.#emit("closed", verdict, code);
  }

  recordRefresh(verdict: ValidVerdict<C>): void {
    this.#refreshed++;
    this.#emit("refreshed", verdict);
  }

  /** A listener of `onChange` failed. The connection stays open, and the application must learn of its own error. */
  recordListenerFailure(verdict: ValidVerdict<C>): void {
    this.#emit("listener_failed", verdict);
  }

  /** Returns whether both tokens have the same subject. Nothing is known of a token that names no one. */
  isSameSubject(one: ValidVerdict<C> | null, other: ValidVerdict<C>): boolean {
    const key = identityKey(other);
    return one !== null && key !== null && identityKey(one) === key;
  }

  /**
   * Draws the time after which a client may connect again, different for each client. `null` when the client should not
   * connect again with its token.
   */
  drawRetryAfterMs(error: CloseError, atLeastMs: number): number | null {
    const { random, spreadMs } = this.settings;
    if (error === "token_expired" || error === "token_missing") {
      return random() * Math.min(SHORT_RETRY_MS, spreadMs);
    }
    return error === "too_many" || error === "try_later" ? atLeastMs + random() * spreadMs : null;
  }

  /** Something was revoked. The next sweep closes the connections that it concerns. */
  recordRevocation(): void {
    this.#revokedAt ??= this.settings.clock.monotonic();
  }

  /** A sweep has closed what was revoked before it. */
  recordSweep(): void {
    this.#revokedAt = null;
  }

  metrics(): readonly MetricFamily[] {
    const { guard, max } = this.settings;
    return connectionMetrics(guard.name, max, this.status(), this.#counts);
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

  #isSubjectFull(verdict: ValidVerdict<C>): boolean {
    const key = identityKey(verdict);
    // A token without subject and session belongs to a service, whose connections are not limited.
    const isUser = verdict.subject !== "" || verdict.sessionId !== undefined;
    return isUser && key !== null && (this.#subjects.get(key) ?? 0) >= this.settings.maxPerSubject;
  }

  #recordLimited(): void {
    this.#limited++;
    this.#emit("limited", null);
  }

  #refuseLimited(): Limited {
    this.#recordLimited();
    const retryAfterMs = this.drawRetryAfterMs("too_many", SHORT_RETRY_MS) ?? SHORT_RETRY_MS;
    return { status: "limited", retryAfterMs };
  }

  #emit(event: ConnectionEvent["event"], verdict: ValidVerdict<C> | null, code: number | null = null): void {
    if (!connectionEvents.hasSubscribers) return;
    const degraded = verdict !== null && verdict.degraded !== null;
    connectionEvents.publish({ guard: this.settings.guard.name, event, code, degraded });
  }
}
