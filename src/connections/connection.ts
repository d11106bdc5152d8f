import type { Rules } from "../core/rules.ts";
import { elapsedMsBetween, elapsedMs, readClock, type Instant } from "../core/clock.ts";
import { unavailableVerdict, type Decision } from "../core/verdict.ts";
import type { Admission } from "../guard/types.ts";
import { closeCodes, toCloseError, encodeCloseReason, type CloseError } from "./close-codes.ts";
import type { ValidVerdict, ConnectionRegistry } from "./registry.ts";
import {
  encodeOk,
  encodeExpiring,
  isControlMessage,
  encodeRefused,
  parseTokenMessage,
} from "./control-messages.ts";
import { TOKEN_ATTEMPT_MS, TokenAttempts } from "./token-attempts.ts";
import type { ConnectionHandle, SocketTransport, Refusal } from "./types.ts";

/** Messages that wait for a token to be checked may be so long together, the last one left out. */
const MAX_QUEUE_BYTES = 262_144;
/** Each counts so much more than its length. */
const MESSAGE_OVERHEAD_BYTES = 1_024;

/** One connection: what its token allows now, and what becomes of it. It has no timer of its own. */
export class LiveConnection<C> implements ConnectionHandle<C> {
  readonly #registry: ConnectionRegistry<C>;
  readonly #transport: SocketTransport;
  readonly #rules: Rules;
  #admission: Admission<C> | null = null;
  #auth: ValidVerdict<C> | null = null;
  #isClosed = false;
  /** Whether a token is being checked. */
  #isChecking = false;
  /** Messages from the peer that wait for that. */
  #queue: unknown[] = [];
  #queueBytes = 0;
  /** How long after it came its first token is due, or after the last question to its authority the next. */
  #dueAfterMs: number;
  #dueFrom: Instant;
  readonly #attempts: TokenAttempts;
  /** Epoch ms: when the peer is told that its token ends; `Infinity` once it was. */
  #warnAt = Infinity;
  /** Whether the latest new token could not be checked. */
  #isRefreshUndetermined = false;
  /** Whether its token was taken without the authority in the place of another: that can be done once. */
  #isRefreshedDegraded = false;
  /** Since when the authority has given no answer about it. */
  #unconfirmedSince: Instant | null = null;

  constructor(registry: ConnectionRegistry<C>, transport: SocketTransport, rules: Rules) {
    this.#registry = registry;
    this.#transport = transport;
    this.#rules = rules;
    this.#attempts = new TokenAttempts(registry.settings.clock);
    this.#dueAfterMs = registry.settings.firstTokenMs;
    this.#dueFrom = readClock(registry.settings.clock);
  }

  get state(): ConnectionHandle<C>["state"] {
    if (this.#isClosed) return "closed";
    return this.#admission === null ? "pending" : "open";
  }

  get auth(): ConnectionHandle<C>["auth"] {
    return this.#auth;
  }

  /** Whether it has brought no token yet. */
  get isAwaitingToken(): boolean {
    return this.#admission === null && !this.#isChecking;
  }

  current(): Decision<C> {
    return this.#isClosed || this.#admission === null
      ? unavailableVerdict("closed")
      : this.#registry.currentDecision(this.#admission);
  }

  receive(message: unknown, text: string | null, bytes: number = text?.length ?? 0): boolean {
    if (this.#isClosed) return false;
    if (text !== null && isControlMessage(text)) {
      void this.presentToken(parseTokenMessage(text));
      return false;
    }
    // What came before it must not be overtaken.
    const mayDeliver = this.#queue.length === 0 && this.reevaluate();
    if (mayDeliver || this.#isClosed) return mayDeliver;
    if (this.isAwaitingToken) this.close("token_missing");
    else if (this.#queueBytes >= MAX_QUEUE_BYTES) this.close("too_many");
    else {
      this.#queue.push(message);
      this.#queueBytes += MESSAGE_OVERHEAD_BYTES + bytes;
      this.#callTransport((transport) => transport.pause?.());
    }
    return false;
  }

  async presentToken(token: string | null): Promise<void> {
    if (this.#isClosed) return;
    if (!this.#attempts.take()) return this.close("too_many");
    if (token === null) return this.#sendControl(encodeRefused("invalid_request", null));
    if (this.#isChecking) return this.#sendControl(encodeRefused("busy", TOKEN_ATTEMPT_MS));
    this.#isChecking = true;
    const outcome = await this.#registry.callGuard(async (guard) => await guard.admit(token, this.#rules));
    this.#isChecking = false;
    if (this.#isClosed) return;
    if (this.#admission !== null) this.#refresh(outcome);
    else if (outcome.status === "admitted") this.open(outcome);
    else this.#closeFor(outcome);
    this.#deliverQueue();
  }

  /** Its first token. */
  open(admission: Admission<C>): void {
    const decision = this.#registry.currentDecision(admission);
    if (decision.status !== "valid") this.#closeFor(decision);
    else if (!this.#registry.tryOpen(this, decision)) this.close("too_many");
    else {
      this.#setAdmission(admission, decision);
      this.#callApplication((transport) => transport.opened?.());
      this.#sendControl(encodeOk(decision, this.#registry.settings.clock.now()));
    }
  }

  /** Another token in the place of the one that it has. */
  #refresh(outcome: Admission<C> | Refusal<C>): void {
    const decision = outcome.status === "admitted" ? this.#registry.currentDecision(outcome) : outcome;
    if (outcome.status !== "admitted" || decision.status !== "valid") {
      // It has fewer scopes than this endpoint needs, and that counts at once.
      if (decision.status === "forbidden") this.#closeFor(decision);
      else this.#refuseRefresh(decision);
      return;
    }
    const isDegraded = decision.degraded !== null;
    if (!this.#registry.isSameSubject(this.#auth, decision)) this.close("other_subject");
    else if (isDegraded && this.#isRefreshedDegraded)
      this.#refuseRefresh(unavailableVerdict("authority_unavailable"));
    else {
      this.#setAdmission(outcome, decision);
      this.#registry.recordRefresh(decision);
      this.#isRefreshedDegraded = isDegraded;
      this.#sendControl(encodeOk(decision, this.#registry.settings.clock.now()));
    }
  }

  #setAdmission(admission: Admission<C>, decision: ValidVerdict<C>): void {
    this.#admission = admission;
    this.#auth = decision;
    this.#isRefreshUndetermined = false;
    this.#unconfirmedSince = null;
    this.#scheduleWarning(decision.expiresAt);
    this.#scheduleRecheck(decision.degraded !== null);
  }

  /** The new token changes nothing: what it has lasts as long as it does. */
  #refuseRefresh(decision: Refusal<C> | Decision<C>): void {
    this.#isRefreshUndetermined = decision.status === "unavailable";
    if (decision.status === "unavailable") {
      const atLeastMs = Math.max(TOKEN_ATTEMPT_MS, decision.retryAfterMs);
      this.#sendControl(
        encodeRefused("temporarily_unavailable", this.#registry.drawRetryAfterMs("try_later", atLeastMs)),
      );
    } else this.#sendControl(encodeRefused("invalid_token", null));
  }

  /** What was held back goes to the application, in order, if it may go on. */
  #deliverQueue(): void {
    const hadQueue = this.#queue.length > 0;
    while (this.reevaluate() && this.#queue.length > 0) {
      const message = this.#queue.shift();
      this.#callApplication((transport) => transport.deliver(message));
    }
    if (this.#isClosed) return;
    this.#queueBytes = 0;
    if (hadQueue) this.#callTransport((transport) => transport.resume?.());
  }

  /** Whether it may go on, after a look at everything that can have changed. */
  reevaluate(): boolean {
    if (this.#isClosed) return false;
    if (this.#admission === null) {
      const waitedMs = elapsedMs(this.#registry.settings.clock, this.#dueFrom);
      if (waitedMs >= this.#dueAfterMs && !this.#isChecking) this.close("token_missing");
      return false;
    }
    const decision = this.#registry.currentDecision(this.#admission);
    if (decision.status === "valid") {
      this.#updateAuth(decision);
      return !this.#isClosed;
    }
    // While its successor is being checked, messages wait.
    const isBeingReplaced =
      this.#isChecking && decision.status === "invalid" && decision.reason === "expired";
    if (!isBeingReplaced) this.#closeFor(decision);
    return false;
  }

  #updateAuth(decision: ValidVerdict<C>): void {
    const { clock } = this.#registry.settings;
    const { claims, scopes, expiresAt, degraded } = decision;
    const was = this.#auth;
    if (was !== null && was.expiresAt !== expiresAt) this.#scheduleWarning(expiresAt);
    // One that says the same is not kept: it would outlive the garbage collection that costs nothing.
    const isSame = was?.claims === claims && was.scopes === scopes;
    if (!isSame || (was.degraded === null) !== (degraded === null)) this.#auth = decision;
    if (clock.now() < this.#warnAt) return;
    this.#warnAt = Infinity;
    this.#sendControl(encodeExpiring(expiresAt, clock.now()));
  }

  /** Whether its authority is to be asked by now. */
  isRecheckDue(now: Instant): boolean {
    if (this.#isClosed || this.#admission?.hasAuthority !== true) return false;
    return elapsedMsBetween(this.#dueFrom, now) >= this.#dueAfterMs;
  }

  /** Asks its authority again. Never rejects. */
  async recheck(): Promise<void> {
    const admission = this.#admission;
    if (admission === null) return;
    this.#dueAfterMs = Infinity;
    const decision = await this.#registry.callGuard(async () => await admission.recheck());
    // Another token may have come, and that was asked about.
    if (this.#isClosed || admission !== this.#admission) return;
    const isAnswered = decision.status !== "unavailable";
    const isDegraded = decision.status === "valid" && decision.degraded !== null;
    const { clock, unconfirmedMs } = this.#registry.settings;
    if (isAnswered) {
      this.#unconfirmedSince = null;
      if (!isDegraded) this.#isRefreshedDegraded = false;
    } else {
      this.#unconfirmedSince ??= readClock(clock);
      if (elapsedMs(clock, this.#unconfirmedSince) >= unconfirmedMs) this.#closeFor(decision);
    }
    if (this.reevaluate()) this.#scheduleRecheck(isDegraded || !isAnswered);
  }

  /** When to ask next: not all at a time. */
  #scheduleRecheck(isSoon: boolean): void {
    const { clock, random, recheckMs, recheckDegradedMs } = this.#registry.settings;
    this.#dueAfterMs = (isSoon ? recheckDegradedMs : recheckMs) * (0.75 + random() / 2);
    this.#dueFrom = readClock(clock);
  }

  /** A token that lives shorter than the warning is told of when half of its life is over, not at once and again and again. */
  #scheduleWarning(expiresAt: number): void {
    const { clock, warnMs } = this.#registry.settings;
    this.#warnAt = expiresAt - Math.min(warnMs, (expiresAt - clock.now()) / 2);
  }

  #closeFor(decision: Refusal<C>): void {
    const error = toCloseError(decision);
    const isRetryable = error === "token_expired" && this.#isRefreshUndetermined;
    this.close(isRetryable ? "try_later" : error, "retryAfterMs" in decision ? decision.retryAfterMs : 0);
  }

  /** Sends the peer away. `retryAfterMs`: when it may come back at the earliest. */
  close(error: CloseError, retryAfterMs = 0): void {
    if (this.#isClosed) return;
    const reason = encodeCloseReason(error, this.#registry.drawRetryAfterMs(error, retryAfterMs));
    // A library that does not read does not see the end of the closing either.
    const hadQueue = this.#queue.length > 0;
    this.#markClosed(closeCodes[error]);
    if (hadQueue) this.#callTransport((transport) => transport.resume?.());
    this.#callTransport((transport) => transport.close(closeCodes[error], reason));
  }

  closed(): void {
    if (!this.#isClosed) this.#markClosed(null);
  }

  #markClosed(code: number | null): void {
    this.#isClosed = true;
    this.#queue = [];
    this.#registry.remove(this, this.#auth, code);
  }

  #sendControl(text: string): void {
    if (!this.#isClosed) this.#callTransport((transport) => transport.send(text));
  }

  /** To the library. One that throws has lost its peer. */
  #callTransport(call: (transport: SocketTransport) => void): void {
    try {
      call(this.#transport);
    } catch {
      this.close("try_later");
    }
  }

  /** To the application. What it throws comes up as if its library had called it, and nothing here is left half done. */
  #callApplication(call: (transport: SocketTransport) => void): void {
    try {
      call(this.#transport);
    } catch (error) {
      queueMicrotask(() => {
        throw error;
      });
    }
  }
}
