import { between, elapsedMs, instant, type Instant } from "../../core/clock.ts";
import { unavailable, type Decision } from "../../core/verdict.ts";
import type { Admission, Rules } from "../types.ts";
import { closeCodes, closeErrorOf, closeReason, type CloseError } from "./close-codes.ts";
import type { Auth, House } from "./house.ts";
import { accepted, expiring, isControl, refused, tokenOf } from "./messages.ts";
import type { ConnectionLine, Line, Refusal } from "./types.ts";

/** Messages that wait for a token to be checked may be so long together, the last one left out. */
const MAX_HELD_BYTES = 262_144;
/** Each counts so much more than its length. */
const MESSAGE_BYTES = 1_024;
/** A peer may present so many tokens at once … */
const MAX_TRIES = 30;
/** … and then one in this time. */
const TRY_MS = 1_000;

/** One connection: what its token allows now, and what becomes of it. It has no timer of its own. */
export class LiveConnection<C> implements ConnectionLine<C> {
  readonly #house: House<C>;
  readonly #line: Line;
  readonly #rules: Rules;
  #admission: Admission<C> | null = null;
  #auth: Auth<C> | null = null;
  #isClosed = false;
  /** Whether a token is being checked. */
  #isChecking = false;
  /** Messages from the peer that wait for that. */
  #held: unknown[] = [];
  #heldBytes = 0;
  /** How long after it came its first token is due, or after the last question to its authority the next. */
  #waitMs: number;
  #waitsSince: Instant;
  /** By the monotonic clock: when all tries are forgotten. */
  #triesUntil = 0;
  /** Epoch ms: when the peer is told that its token ends; `Infinity` once it was. */
  #warnAt = Infinity;
  /** Whether the latest new token could not be checked. */
  #isUnanswered = false;
  /** Whether its token was taken without the authority in the place of another: that can be done once. */
  #isExtended = false;
  /** Since when the authority has given no answer about it. */
  #unconfirmedSince: Instant | null = null;

  constructor(house: House<C>, line: Line, rules: Rules) {
    this.#house = house;
    this.#line = line;
    this.#rules = rules;
    this.#waitMs = house.settings.firstTokenMs;
    this.#waitsSince = instant(house.settings.clock);
  }

  get state(): ConnectionLine<C>["state"] {
    if (this.#isClosed) return "closed";
    return this.#admission === null ? "pending" : "open";
  }

  get auth(): ConnectionLine<C>["auth"] {
    return this.#auth;
  }

  /** Whether it has brought no token yet. */
  get isSilent(): boolean {
    return this.#admission === null && !this.#isChecking;
  }

  current(): Decision<C> {
    return this.#isClosed || this.#admission === null
      ? unavailable("closed")
      : this.#house.current(this.#admission);
  }

  takes(message: unknown, text: string | null, bytes: number = text?.length ?? 0): boolean {
    if (this.#isClosed) return false;
    if (text !== null && isControl(text)) {
      void this.present(tokenOf(text));
      return false;
    }
    // What came before it must not be overtaken.
    const goesOn = this.#held.length === 0 && this.review();
    if (goesOn || this.#isClosed) return goesOn;
    if (this.isSilent) this.close("token_missing");
    else if (this.#heldBytes >= MAX_HELD_BYTES) this.close("too_many");
    else {
      this.#held.push(message);
      this.#heldBytes += MESSAGE_BYTES + bytes;
      this.#tell((line) => line.pause?.());
    }
    return false;
  }

  async present(token: string | null): Promise<void> {
    if (this.#isClosed || !this.#mayTry()) return;
    if (token === null) return this.#say(refused("invalid_request", null));
    if (this.#isChecking) return this.#say(refused("busy", TRY_MS));
    this.#isChecking = true;
    const outcome = await this.#house.ask(async (guard) => await guard.admit(token, this.#rules));
    this.#isChecking = false;
    if (this.#isClosed) return;
    if (this.#admission !== null) this.#renew(outcome);
    else if (outcome.status === "admitted") this.begin(outcome);
    else this.#end(outcome);
    this.#release();
  }

  /** Its first token. */
  begin(admission: Admission<C>): void {
    const decision = this.#house.current(admission);
    if (decision.status !== "valid") this.#end(decision);
    else if (!this.#house.enter(this, decision)) this.close("too_many");
    else {
      this.#adopt(admission, decision);
      this.#give((line) => line.opened?.());
      this.#say(accepted(decision, this.#house.settings.clock.now()));
    }
  }

  /** Another token in the place of the one that it has. */
  #renew(outcome: Admission<C> | Refusal<C>): void {
    const decision = outcome.status === "admitted" ? this.#house.current(outcome) : outcome;
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

  #adopt(admission: Admission<C>, decision: Auth<C>): void {
    this.#admission = admission;
    this.#auth = decision;
    this.#isUnanswered = false;
    this.#unconfirmedSince = null;
    this.#planWarning(decision.expiresAt);
    this.#plan(decision.degraded !== null);
  }

  /** The new token changes nothing: what it has lasts as long as it does. */
  #refuse(decision: Refusal<C> | Decision<C>): void {
    this.#isUnanswered = decision.status === "unavailable";
    if (decision.status === "unavailable") {
      const atLeastMs = Math.max(TRY_MS, decision.retryAfterMs);
      this.#say(refused("temporarily_unavailable", this.#house.hintMs("try_later", atLeastMs)));
    } else this.#say(refused("invalid_token", null));
  }

  /** What was held back goes to the application, in order, if it may go on. */
  #release(): void {
    const wasHeld = this.#held.length > 0;
    while (this.review() && this.#held.length > 0) {
      const message = this.#held.shift();
      this.#give((line) => line.deliver(message));
    }
    if (this.#isClosed) return;
    this.#heldBytes = 0;
    if (wasHeld) this.#tell((line) => line.resume?.());
  }

  /** Whether it may go on, after a look at everything that can have changed. */
  review(): boolean {
    if (this.#isClosed) return false;
    if (this.#admission === null) {
      const waitedMs = elapsedMs(this.#house.settings.clock, this.#waitsSince);
      if (waitedMs >= this.#waitMs && !this.#isChecking) this.close("token_missing");
      return false;
    }
    const decision = this.#house.current(this.#admission);
    if (decision.status === "valid") {
      this.#see(decision);
      return !this.#isClosed;
    }
    // While its successor is being checked, messages wait.
    const isReplaced = this.#isChecking && decision.status === "invalid" && decision.reason === "expired";
    if (!isReplaced) this.#end(decision);
    return false;
  }

  #see(decision: Auth<C>): void {
    const { clock } = this.#house.settings;
    const { claims, scopes, expiresAt, degraded } = decision;
    const was = this.#auth;
    if (was !== null && was.expiresAt !== expiresAt) this.#planWarning(expiresAt);
    // One that says the same is not kept: it would outlive the garbage collection that costs nothing.
    const isSame = was?.claims === claims && was.scopes === scopes;
    if (!isSame || (was.degraded === null) !== (degraded === null)) this.#auth = decision;
    if (clock.now() < this.#warnAt) return;
    this.#warnAt = Infinity;
    this.#say(expiring(expiresAt, clock.now()));
  }

  /** Whether its authority is to be asked by now. */
  isDue(now: Instant): boolean {
    if (this.#isClosed || this.#admission?.isAsked !== true) return false;
    return between(this.#waitsSince, now) >= this.#waitMs;
  }

  /** Asks its authority again. Never rejects. */
  async recheck(): Promise<void> {
    const admission = this.#admission;
    if (admission === null) return;
    this.#waitMs = Infinity;
    const decision = await this.#house.ask(async () => await admission.recheck());
    // Another token may have come, and that was asked about.
    if (this.#isClosed || admission !== this.#admission) return;
    const isAnswered = decision.status !== "unavailable";
    const isDegraded = decision.status === "valid" && decision.degraded !== null;
    const { clock, unconfirmedMs } = this.#house.settings;
    if (isAnswered) {
      this.#unconfirmedSince = null;
      if (!isDegraded) this.#isExtended = false;
    } else {
      this.#unconfirmedSince ??= instant(clock);
      if (elapsedMs(clock, this.#unconfirmedSince) >= unconfirmedMs) this.#end(decision);
    }
    if (this.review()) this.#plan(isDegraded || !isAnswered);
  }

  /** When to ask next: not all at a time. */
  #plan(isSoon: boolean): void {
    const { clock, random, recheckMs, recheckDegradedMs } = this.#house.settings;
    this.#waitMs = (isSoon ? recheckDegradedMs : recheckMs) * (0.75 + random() / 2);
    this.#waitsSince = instant(clock);
  }

  /** A token that lives shorter than the warning is told of when half of its life is over, not at once and again and again. */
  #planWarning(expiresAt: number): void {
    const { clock, warnMs } = this.#house.settings;
    this.#warnAt = expiresAt - Math.min(warnMs, (expiresAt - clock.now()) / 2);
  }

  /** One message about a token more. A peer that does not read what it is answered must not fill the memory. */
  #mayTry(): boolean {
    const now = this.#house.settings.clock.monotonic();
    this.#triesUntil = Math.max(this.#triesUntil, now) + TRY_MS;
    if (this.#triesUntil - now > MAX_TRIES * TRY_MS) this.close("too_many");
    return !this.#isClosed;
  }

  #end(decision: Refusal<C>): void {
    const error = closeErrorOf(decision);
    const isPutOff = error === "token_expired" && this.#isUnanswered;
    this.close(isPutOff ? "try_later" : error, "retryAfterMs" in decision ? decision.retryAfterMs : 0);
  }

  /** Sends the peer away. `retryAfterMs`: when it may come back at the earliest. */
  close(error: CloseError, retryAfterMs = 0): void {
    if (this.#isClosed) return;
    const reason = closeReason(error, this.#house.hintMs(error, retryAfterMs));
    // A library that does not read does not see the end of the closing either.
    const wasHeld = this.#held.length > 0;
    this.#leave(closeCodes[error]);
    if (wasHeld) this.#tell((line) => line.resume?.());
    this.#tell((line) => line.close(closeCodes[error], reason));
  }

  gone(): void {
    if (!this.#isClosed) this.#leave(null);
  }

  #leave(code: number | null): void {
    this.#isClosed = true;
    this.#held = [];
    this.#house.leave(this, this.#auth, code);
  }

  #say(text: string): void {
    if (!this.#isClosed) this.#tell((line) => line.send(text));
  }

  /** To the library. One that throws has lost its peer. */
  #tell(act: (line: Line) => void): void {
    try {
      act(this.#line);
    } catch {
      this.close("try_later");
    }
  }

  /** To the application. What it throws comes up as if its library had called it, and nothing here is left half done. */
  #give(act: (line: Line) => void): void {
    try {
      act(this.#line);
    } catch (error) {
      queueMicrotask(() => {
        throw error;
      });
    }
  }
}
