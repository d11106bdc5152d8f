import assert from "node:assert/strict";
import type { ConnectionLine } from "../../../src/guard/connections.ts";
import type { FakeClock } from "../../../src/testing/index.ts";
import { TestLine, tokenMessage } from "./world.ts";

/** What the test knows of a token, whatever the guard knows. */
export interface Token {
  readonly sid: string;
  readonly text: string;
  readonly subject: string;
  /** Epoch seconds. */
  readonly exp: number;
  readonly flaw: Flaw;
  isEndedInLog: boolean;
  /** Epoch ms. */
  endedInLogAt: number;
  isEndedAtProvider: boolean;
}

/** What is wrong with a token from the beginning. */
export type Flaw = "forged" | "expired" | "narrow" | "another's" | null;

/** What goes on around all connections. */
export interface Surroundings {
  readonly clock: FakeClock;
  readonly toleranceMs: number;
  /** Whether anything ever failed. */
  hadTrouble: boolean;
  isDraining: boolean;
}

/** A client that numbers its messages, and its connection; every word to it must have its reason. */
export class Peer extends TestLine {
  connection!: ConnectionLine;
  readonly user: string;
  readonly #around: Surroundings;
  readonly #began: number;
  /** That counts. */
  token: Token | null;
  /** That is being checked. */
  checking: Token | null = null;
  #spoken = 0;
  #hasGone = false;
  /** Whether it spoke before it had a token. */
  #wasEarly = false;

  constructor(around: Surroundings, user: string, token: Token | null) {
    super();
    this.#around = around;
    this.#began = around.clock.now();
    this.user = user;
    this.token = token;
  }

  get isOpen(): boolean {
    return this.connection.state === "open";
  }

  get isThere(): boolean {
    return this.connection.state !== "closed";
  }

  /** Whether it has brought no token yet. */
  get isSilent(): boolean {
    return this.token === null && this.checking === null;
  }

  present(token: Token): void {
    const isBusy = this.checking !== null;
    if (!isBusy) this.checking = token;
    assert.equal(this.connection.takes("token", tokenMessage(token.text)), false);
    if (isBusy) assert.equal(this.last?.["error"], "busy");
  }

  speak(): void {
    this.#wasEarly = this.isSilent;
    const number = this.#spoken++;
    if (this.connection.takes(number, String(number))) this.deliver(number);
  }

  go(): void {
    // Libraries tell of the end of those, too, whom we have sent away.
    this.#hasGone ||= this.isThere;
    this.connection.gone();
  }

  override deliver(message: unknown): void {
    super.deliver(message);
    assert.equal(message, this.delivered.length - 1, "in order, none lost");
    assert.ok(this.token !== null && this.code === null && !this.#hasGone);
    assert.ok(this.#now < this.token.exp * 1000 + this.#around.toleranceMs, "never past expiry");
    assert.ok(!this.token.isEndedInLog, "never what was revoked");
  }

  override send(text: string): void {
    super.send(text);
    assert.ok(this.code === null && !this.#hasGone, "nothing after the end");
    const { type, error } = this.last ?? {};
    if (type === "auth.ok") this.#accept();
    else if (type === "auth.refused" && error !== "busy") this.#refuse(error);
  }

  override close(code: number, reason: string): void {
    super.close(code, reason);
    assert.equal(this.closings, 1, "closed once");
    assert.ok(!this.#hasGone);
    const { token, checking } = this;
    const concerned = [token, checking].filter((one) => one !== null);
    const isPast = (one: Token) => this.#now >= one.exp * 1000;
    if (code === 4401) assert.ok(concerned.some(isPast));
    else if (code === 4408) {
      assert.ok(token === null && checking === null);
      assert.ok(this.#wasEarly || this.#now - this.#began >= 10_000);
    } else if (code === 4429) assert.equal(token, null, "only its subject has too many");
    else if (code === 4453) assert.ok(this.#around.hadTrouble || this.#around.isDraining);
    else if (code === 4501) assert.ok(token === null && checking?.flaw === "forged");
    else if (code === 4502) assert.equal(checking?.flaw, "narrow");
    else if (code === 4503) {
      assert.ok(concerned.some((one) => one.isEndedInLog || one.isEndedAtProvider || isPast(one)));
    } else if (code === 4504) assert.ok(token !== null && checking?.subject !== token.subject);
    else assert.fail(`${code} ${reason}`);
  }

  /** After every step. */
  inspect(): void {
    const { state } = this.connection;
    assert.equal(state === "closed", this.#hasGone || this.closings === 1);
    if (state !== "open" || this.token === null) return;
    const { exp, endedInLogAt } = this.token;
    assert.ok(this.#now < endedInLogAt + 1_000, "closed within a second of a revocation");
    const endsAt = exp * 1000 + this.#around.toleranceMs;
    assert.ok(this.#now < endsAt + 1_000 || this.checking !== null, "closed within a second of its end");
    if (this.checking === null) assert.equal(this.delivered.length, this.#spoken);
  }

  /** When nothing is wrong any more, and every look was taken. */
  inspectAtRest(): void {
    assert.equal(this.checking === null || this.connection.state === "closed", true);
    if (!this.isOpen || this.token === null) return;
    const { exp, isEndedAtProvider, isEndedInLog } = this.token;
    assert.ok(!isEndedInLog && !isEndedAtProvider);
    assert.ok(this.#now < exp * 1000 + this.#around.toleranceMs + 1_000);
    assert.equal(this.isPaused, false);
  }

  get #now(): number {
    return this.#around.clock.now();
  }

  #accept(): void {
    const accepted = this.checking ?? this.token;
    assert.ok(accepted !== null);
    assert.ok(accepted.flaw === null || (accepted.flaw === "another's" && this.token === null));
    assert.ok(!accepted.isEndedInLog && this.#now < accepted.exp * 1000 + this.#around.toleranceMs);
    assert.ok(this.token === null || this.token.subject === accepted.subject);
    this.token = accepted;
    this.checking = null;
  }

  #refuse(error: unknown): void {
    const refused = this.checking;
    assert.ok(refused !== null && this.token !== null);
    if (error === "temporarily_unavailable") assert.ok(this.#around.hadTrouble);
    else {
      assert.equal(error, "invalid_token");
      const isOver = this.#now >= refused.exp * 1000;
      const isBad = refused.flaw === "forged" || refused.flaw === "expired";
      assert.ok(isBad || isOver || refused.isEndedInLog || refused.isEndedAtProvider);
    }
    this.checking = null;
  }
}
