import type { Decision } from "../../core/verdict.ts";
import { unavailable } from "../finding.ts";
import type { Admission, Rules } from "../types.ts";
import { closeCodes, closeErrorOf, closeReason, type CloseError } from "./close-codes.ts";
import type { House } from "./house.ts";
import { accepted, expiring, isControl, refused, tokenOf } from "./messages.ts";
import type { ConnectionLine, Line, Refusal } from "./types.ts";

/** Messages that wait for a token to be checked. */
const MAX_HELD = 256;
/** Tokens in a row that were of no use. */
const MAX_REFUSALS = 5;

/** One connection: what its token allows now, and what becomes of it. It has no timer of its own. */
export class LiveConnection<C> implements ConnectionLine<C> {
  readonly #house: House<C>;
  readonly #line: Line;
  readonly #rules: Rules;
  #admission: Admission<C> | null = null;
  #auth: ConnectionLine<C>["auth"] = null;
  #isClosed = false;
  /** Whether a token is being checked. */
  #isChecking = false;
  /** Messages from the peer that wait for that. */
  #held: unknown[] = [];
  /** By the monotonic clock: when its first token or the next question to its authority is due. */
  #dueAt: number;
  #isWarned = false;
  #refusals = 0;
  /** Whether the latest new token could not be checked. */
  #isUnanswered = false;
  /** Whether its token was taken without the authority in the place of another: that can be done once. */
  #isExtended = false;
  /** Since when the authority has given no answer about it, by the monotonic clock. */
  #unconfirmedSince: number | null = null;

  constructor(house: House<C>, line: Line, rules: Rules) {
    this.#house = house;
    this.#line = line;
    this.#rules = rules;
    this.#dueAt = house.settings.clock.monotonic() + house.settings.firstTokenMs;
  }

  get state(): ConnectionLine<C>["state"] {
    if (this.#isClosed) return "closed";
    return this.#admission === null ? "pending" : "open";
  }

  get auth(): ConnectionLine<C>["auth"] {
    return this.#auth;
  }

  current(): Decision<C> {
    return this.#isClosed || this.#admission === null ? unavailable("closed") : this.#admission.current();
  }

  takes(message: unknown, text: string | null): boolean {
    if (this.#isClosed) return false;
    if (text !== null && isControl(text)) {
      const token = tokenOf(text);
      if (token === null) this.#say(refused("invalid_request", null));
      else void this.present(token);
      return false;
    }
    // What came before it must not be overtaken.
    const goesOn = this.#held.length === 0 && this.review();
    if (goesOn || this.#isClosed) return goesOn;
    if (!this.#isChecking) this.close("token_missing");
    else if (this.#held.length === MAX_HELD) this.close("too_many");
    else {
      this.#held.push(message);
      this.#line.pause?.();
    }
    return false;
  }

  async present(token: string): Promise<void> {
    if (this.#isClosed) return;
    if (this.#isChecking) {
      this.#say(refused("busy", 1_000));
      return;
    }
    this.#isChecking = true;
    const outcome = await this.#house.check(token, this.#rules);
    this.#isChecking = false;
    if (this.#isClosed) return;
    if (this.#admission !== null) this.#renew(outcome);
    else if (outcome.status === "admitted") this.begin(outcome);
    else this.#end(outcome);
    this.#release();
  }

  /** Its first token. */
  begin(admission: Admission<C>): void {
    const decision = admission.current();
    if (decision.status !== "valid") this.#end(decision);
    else if (!this.#house.enter(decision)) this.close("too_many");
    else {
      this.#adopt(admission, decision);
      this.#line.opened?.();
      this.#say(accepted(decision, this.#house.settings.clock.now()));
    }
  }

  /** Another token in the place of the one that it has. */
  #renew(outcome: Admission<C> | Refusal<C>): void {
    const decision = outcome.status === "admitted" ? outcome.current() : outcome;
    if (outcome.status !== "admitted" || decision.status !== "valid") {
      // It has fewer scopes than this endpoint needs, and that counts at once.
      if (decision.status === "forbidden") this.#end(decision);
      else this.#refuse(decision);
      return;
    }
    const isDegraded = decision.degraded !== null;
    if (!this.#house.isSame(this.#auth, decision)) this.close("other_subject");
    else if (isDegraded && this.#isExtended) this.#refuse(unavailable("authority_unavailable"));
    else {
      this.#adopt(outcome, decision);
      this.#house.refreshed(decision);
      this.#isExtended = isDegraded;
      this.#say(accepted(decision, this.#house.settings.clock.now()));
    }
  }

  #adopt(admission: Admission<C>, decision: NonNullable<ConnectionLine<C>["auth"]>): void {
    this.#admission = admission;
    this.#auth = decision;
    this.#isWarned = false;
    this.#isUnanswered = false;
    this.#unconfirmedSince = null;
    this.#refusals = 0;
    this.#plan(decision.degraded !== null);
  }

  /** The new token changes nothing: what it has lasts as long as it does. */
  #refuse(decision: Refusal<C> | Decision<C>): void {
    this.#isUnanswered = decision.status === "unavailable";
    if (decision.status === "unavailable") {
      const retryAfterMs = this.#house.hintMs("try_later", decision.retryAfterMs);
      this.#say(refused("temporarily_unavailable", retryAfterMs));
    } else if (++this.#refusals >= MAX_REFUSALS) this.close("too_many");
    else this.#say(refused("invalid_token", null));
  }

  /** What was held back goes to the application, in order, if it may go on. */
  #release(): void {
    if (this.#held.length === 0) return;
    while (this.#held.length > 0 && this.review()) this.#line.deliver(this.#held.shift());
    if (!this.#isClosed) this.#line.resume?.();
  }

  /** Whether it may go on, after a look at everything that can have changed. */
  review(): boolean {
    const { clock, warnMs } = this.#house.settings;
    if (this.#isClosed) return false;
    if (this.#admission === null) {
      if (!this.#isChecking && clock.monotonic() >= this.#dueAt) this.close("token_missing");
      return false;
    }
    const decision = this.#admission.current();
    if (decision.status === "valid") {
      this.#auth = decision;
      const { expiresAt } = decision;
      if (!this.#isWarned && expiresAt - clock.now() <= warnMs) {
        this.#isWarned = true;
        this.#say(expiring(expiresAt, clock.now()));
      }
      return true;
    }
    // While its successor is being checked, messages wait.
    const isReplaced = this.#isChecking && decision.status === "invalid" && decision.reason === "expired";
    if (!isReplaced) this.#end(decision);
    return false;
  }

  /** Whether its authority is to be asked by now. */
  isDue(monotonic: number): boolean {
    return !this.#isClosed && this.#admission?.isAsked === true && monotonic >= this.#dueAt;
  }

  /** Asks its authority again. Never rejects. */
  async recheck(): Promise<void> {
    const admission = this.#admission;
    if (admission === null) return;
    this.#dueAt = Infinity;
    const decision = await this.#house.recheck(admission);
    // Another token may have come, and that was asked about.
    if (this.#isClosed || admission !== this.#admission) return;
    const isAnswered = decision.status !== "unavailable";
    const isDegraded = decision.status === "valid" && decision.degraded !== null;
    const { clock, unconfirmedMs } = this.#house.settings;
    if (isAnswered) {
      this.#unconfirmedSince = null;
      if (!isDegraded) this.#isExtended = false;
    } else {
      this.#unconfirmedSince ??= clock.monotonic();
      if (clock.monotonic() - this.#unconfirmedSince >= unconfirmedMs) this.#end(decision);
    }
    if (this.review()) this.#plan(isDegraded || !isAnswered);
  }

  /** When to ask next: not all at a time. */
  #plan(isSoon: boolean): void {
    const { clock, random, recheckMs, recheckDegradedMs } = this.#house.settings;
    const pauseMs = (isSoon ? recheckDegradedMs : recheckMs) * (0.75 + random() / 2);
    this.#dueAt = clock.monotonic() + pauseMs;
  }

  #end(decision: Refusal<C>): void {
    const error = closeErrorOf(decision);
    const isPutOff = error === "token_expired" && this.#isUnanswered;
    this.close(isPutOff ? "try_later" : error, "retryAfterMs" in decision ? decision.retryAfterMs : 0);
  }

  /** Sends the peer away. `retryAfterMs`: when it may come back at the earliest. */
  close(error: CloseError, retryAfterMs = 0): void {
    if (this.#isClosed) return;
    const wasHeld = this.#held.length > 0;
    this.#leave(closeCodes[error]);
    try {
      // A library that does not read does not see the end of the closing either.
      if (wasHeld) this.#line.resume?.();
      this.#line.close(closeCodes[error], closeReason(error, this.#house.hintMs(error, retryAfterMs)));
    } catch {
      // The peer has gone: that is what closing is for.
    }
  }

  gone(): void {
    if (!this.#isClosed) this.#leave(null);
  }

  #leave(code: number | null): void {
    this.#house.leave(this, this.#auth, code);
    this.#isClosed = true;
    this.#held = [];
  }

  #say(text: string): void {
    try {
      this.#line.send(text);
    } catch {
      this.gone();
    }
  }
}
