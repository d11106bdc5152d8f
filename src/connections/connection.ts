import type { Rules } from "../core/rules.ts";
import { elapsedMs, readClock, type Instant } from "../core/clock.ts";
import { unavailableVerdict, type Decision, type ValidVerdict } from "../core/verdict.ts";
import type { Admission } from "../guard/types.ts";
import { closeCodes, encodeCloseReason, toCloseError, type CloseError } from "./close-codes.ts";
import { DueTime } from "./due-time.ts";
import type { ConnectionRegistry } from "./registry.ts";
import {
  encodeExpiring,
  encodeOk,
  encodeRefused,
  isControlMessage,
  parseTokenMessage,
  refusedError,
} from "./control-messages.ts";
import { TOKEN_ATTEMPT_MS, TokenAttempts } from "./token-attempts.ts";
import { MessageQueue } from "./message-queue.ts";
import { RightsListeners, type RightsListener } from "./rights-change.ts";
import { isReplaceable } from "./refusal.ts";
import type { ConnectionHandle, Refusal, SocketTransport } from "./types.ts";

/** One connection and its current token. It has no timer: the sweeper calls `reevaluate` and `recheck`. */
export class LiveConnection<C> implements ConnectionHandle<C> {
  readonly #registry: ConnectionRegistry<C>;
  readonly #transport: SocketTransport;
  readonly #rules: Rules;
  #admission: Admission<C> | null = null;
  #auth: ValidVerdict<C> | null = null;
  #isClosed = false;
  /** Whether a token is being checked. */
  #isChecking = false;
  /** Messages that wait until the token is checked. `null` before the first one waits, and after the last one. */
  #queue: MessageQueue | null = null;
  /** `null` until the application adds a listener. */
  #listeners: RightsListeners<C> | null = null;
  readonly #due: DueTime;
  readonly #attempts: TokenAttempts;
  /** When the peer gets `auth.expiring`, in epoch milliseconds. `Infinity` after it was sent. */
  #warnAt = Infinity;
  /** Whether the latest new token could not be checked. An expired connection may then try again later. */
  #isRefreshUndetermined = false;
  /** Whether the last refresh was accepted without the authority. A second one must wait until the authority confirms. */
  #isRefreshedDegraded = false;
  /** Since when the authority has not answered about the token. `null` while it answers. */
  #unconfirmedSince: Instant | null = null;

  constructor(registry: ConnectionRegistry<C>, transport: SocketTransport, rules: Rules) {
    this.#registry = registry;
    this.#transport = transport;
    this.#rules = rules;
    this.#attempts = new TokenAttempts(registry.settings.clock);
    this.#due = new DueTime(registry.settings);
  }

  get state(): ConnectionHandle<C>["state"] {
    if (this.#isClosed) return "closed";
    return this.#admission === null ? "pending" : "open";
  }

  get auth(): ConnectionHandle<C>["auth"] {
    return this.#auth;
  }

  /** Whether the peer has not presented a token yet. */
  get isAwaitingToken(): boolean {
    return this.#admission === null && !this.#isChecking;
  }

  onChange(listener: RightsListener<C>): () => void {
    this.#listeners ??= new RightsListeners<C>((verdict) => this.#registry.recordListenerFailure(verdict));
    return this.#listeners.add(listener);
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
    // A message must not overtake those that wait.
    const mayDeliver = this.#queue === null && this.reevaluate();
    if (mayDeliver || this.#isClosed) return mayDeliver;
    if (this.isAwaitingToken) this.close("token_missing");
    else if (this.#queue?.isFull === true) this.close("too_many");
    else {
      this.#queue ??= new MessageQueue();
      this.#queue.add(message, bytes);
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

  /** Opens the connection with its first token, or closes it. */
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

  /** Replaces the current token by a new one, or refuses the new one. */
  #refresh(outcome: Admission<C> | Refusal<C>): void {
    const decision = outcome.status === "admitted" ? this.#registry.currentDecision(outcome) : outcome;
    if (outcome.status !== "admitted" || decision.status !== "valid") {
      // The new token lacks a scope that the endpoint requires. The current token must not hide that.
      if (decision.status === "forbidden") this.#closeFor(decision);
      else this.#refuseRefresh(decision);
      return;
    }
    const isDegraded = decision.degraded !== null;
    if (!this.#registry.isSameSubject(this.#auth, decision)) this.close("other_subject");
    else if (isDegraded && this.#isRefreshedDegraded) {
      this.#refuseRefresh(unavailableVerdict("authority_unavailable"));
    } else {
      this.#setAdmission(outcome, decision);
      this.#registry.recordRefresh(decision);
      this.#isRefreshedDegraded = isDegraded;
      this.#sendControl(encodeOk(decision, this.#registry.settings.clock.now()));
    }
  }

  #setAdmission(admission: Admission<C>, decision: ValidVerdict<C>): void {
    const before = this.#auth;
    this.#admission = admission;
    this.#auth = decision;
    this.#isRefreshUndetermined = false;
    this.#unconfirmedSince = null;
    this.#scheduleWarning(decision.expiresAt);
    this.#due.planRecheck(decision.degraded !== null);
    this.#listeners?.compare(before, decision);
  }

  /** Refuses the new token. The current token stays in effect until it expires. */
  #refuseRefresh(decision: Refusal<C> | Decision<C>): void {
    this.#isRefreshUndetermined = decision.status === "unavailable";
    if (decision.status === "unavailable") {
      const atLeastMs = Math.max(TOKEN_ATTEMPT_MS, decision.retryAfterMs);
      this.#sendControl(
        encodeRefused("temporarily_unavailable", this.#registry.drawRetryAfterMs("try_later", atLeastMs)),
      );
    } else this.#sendControl(encodeRefused(refusedError(decision), null));
  }

  /** Delivers the waiting messages in order, as long as the token is valid. */
  #deliverQueue(): void {
    while (this.reevaluate() && this.#queue !== null && !this.#queue.isEmpty) {
      const message = this.#queue.take();
      this.#callApplication((transport) => transport.deliver(message));
    }
    if (this.#isClosed || this.#queue?.isEmpty !== true) return;
    this.#queue = null;
    this.#callTransport((transport) => transport.resume?.());
  }

  /** Decides on the token again, and closes the connection when it is no longer valid. Returns whether it is valid. */
  reevaluate(): boolean {
    if (this.#isClosed) return false;
    if (this.#admission === null) {
      if (this.#due.isOver() && !this.#isChecking) this.close("token_missing");
      return false;
    }
    const decision = this.#registry.currentDecision(this.#admission);
    if (decision.status === "valid") {
      this.#updateAuth(decision);
      return !this.#isClosed;
    }
    // While a new token is checked, messages wait instead of closing the connection.
    if (!(this.#isChecking && isReplaceable(decision))) this.#closeFor(decision);
    return false;
  }

  #updateAuth(decision: ValidVerdict<C>): void {
    const { clock } = this.#registry.settings;
    const { claims, scopes, expiresAt, degraded } = decision;
    const before = this.#auth;
    if (before?.expiresAt !== expiresAt) this.#scheduleWarning(expiresAt);
    // An equal verdict is not kept: it would survive the cheap collection of young objects.
    const isSame = before?.claims === claims && before.scopes === scopes;
    if (!isSame || (before.degraded === null) !== (degraded === null)) this.#auth = decision;
    if (!isSame) this.#listeners?.compare(before, decision);
    if (clock.now() < this.#warnAt) return;
    this.#warnAt = Infinity;
    this.#sendControl(encodeExpiring(expiresAt, clock.now()));
  }

  /** Whether the authority should be asked about the token again. */
  isRecheckDue(now: Instant): boolean {
    if (this.#isClosed || this.#admission?.hasAuthority !== true) return false;
    return this.#due.isOverAt(now);
  }

  /** Asks the authority about the token again. Never rejects. */
  async recheck(): Promise<void> {
    const admission = this.#admission;
    if (admission === null) return;
    this.#due.suspend();
    const decision = await this.#registry.callGuard(async () => await admission.recheck());
    // A new token may have replaced this one, and the authority was asked about the new one.
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
    if (this.reevaluate()) this.#due.planRecheck(isDegraded || !isAnswered);
  }

  /** Plans `auth.expiring`. A short token is announced at half of its life, because `warnMs` before its end is too early. */
  #scheduleWarning(expiresAt: number): void {
    const { clock, warnMs } = this.#registry.settings;
    this.#warnAt = expiresAt - Math.min(warnMs, (expiresAt - clock.now()) / 2);
  }

  #closeFor(decision: Refusal<C>): void {
    const error = toCloseError(decision);
    const isRetryable = error === "token_expired" && this.#isRefreshUndetermined;
    this.close(isRetryable ? "try_later" : error, "retryAfterMs" in decision ? decision.retryAfterMs : 0);
  }

  /** Closes the connection. `retryAfterMs` is the least time after which the peer may connect again. */
  close(error: CloseError, retryAfterMs = 0): void {
    if (this.#isClosed) return;
    const reason = encodeCloseReason(error, this.#registry.drawRetryAfterMs(error, retryAfterMs));
    // The library must read again, or it never sees the peer's close frame.
    const hadQueue = this.#queue !== null;
    this.#markClosed(closeCodes[error]);
    if (hadQueue) this.#callTransport((transport) => transport.resume?.());
    this.#callTransport((transport) => transport.close(closeCodes[error], reason));
  }

  closed(): void {
    if (!this.#isClosed) this.#markClosed(null);
  }

  #markClosed(code: number | null): void {
    this.#isClosed = true;
    this.#queue = null;
    this.#registry.remove(this, this.#auth, code);
  }

  #sendControl(text: string): void {
    if (!this.#isClosed) this.#callTransport((transport) => transport.send(text));
  }

  /** Calls the WebSocket library. An error means that the peer is lost. */
  #callTransport(call: (transport: SocketTransport) => void): void {
    try {
      call(this.#transport);
    } catch {
      this.close("try_later");
    }
  }

  /** Calls the application. Its error becomes an uncaught exception, as if the library had called it. */
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
