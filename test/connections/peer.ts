import assert from "node:assert/strict";
import type { ConnectionHandle } from "../../src/connections/index.ts";
import type { FakeClock } from "../../src/testing/index.ts";
import { TestTransport, tokenMessage } from "./fixture.ts";

/** What the test knows of a token, whatever the guard knows. */
export interface Token {
  readonly sid: string;
  readonly text: string;
  readonly subject: string;
  /** Epoch seconds. */
  readonly exp: number;
  readonly defect: Defect;
  isRevokedInLog: boolean;
  /** Epoch ms. */
  revokedInLogAt: number;
  isRevokedAtProvider: boolean;
}

/** What is wrong with a token from the beginning. */
export type Defect = "forged" | "expired" | "narrow" | "another's" | null;

/** What goes on around all connections. */
export interface Environment {
  readonly clock: FakeClock;
  readonly toleranceMs: number;
  /** Whether anything ever failed. */
  hadFailure: boolean;
  isDraining: boolean;
}

/** A client that numbers its messages, and its connection; every word to it must have its reason. */
export class Peer extends TestTransport {
  connection!: ConnectionHandle;
  readonly user: string;
  readonly #environment: Environment;
  readonly #connectedAt: number;
  /** That counts. */
  token: Token | null;
  /** That is being checked. */
  checking: Token | null = null;
  #sentCount = 0;
  #hasDisconnected = false;
  /** Whether it spoke before it had a token. */
  #sentBeforeToken = false;

  constructor(around: Environment, user: string, token: Token | null) {
    super();
    this.#environment = around;
    this.#connectedAt = around.clock.now();
    this.user = user;
    this.token = token;
  }

  get isOpen(): boolean {
    return this.connection.state === "open";
  }

  get isConnected(): boolean {
    return this.connection.state !== "closed";
  }

  /** Whether it has brought no token yet. */
  get isAwaitingToken(): boolean {
    return this.token === null && this.checking === null;
  }

  presentToken(token: Token): void {
    const isBusy = this.checking !== null;
    if (!isBusy) this.checking = token;
    assert.equal(this.connection.receive("token", tokenMessage(token.text)), false);
    if (isBusy) assert.equal(this.last?.["error"], "busy");
  }

  sendMessage(): void {
    this.#sentBeforeToken = this.isAwaitingToken;
    const number = this.#sentCount++;
    if (this.connection.receive(number, String(number))) this.deliver(number);
  }

  disconnect(): void {
    // Libraries tell of the end of those, too, whom we have sent away.
    this.#hasDisconnected ||= this.isConnected;
    this.connection.closed();
  }

  override deliver(message: unknown): void {
    super.deliver(message);
    assert.equal(message, this.delivered.length - 1, "in order, none lost");
    assert.ok(this.token !== null && this.code === null && !this.#hasDisconnected);
    assert.ok(this.#now < this.token.exp * 1000 + this.#environment.toleranceMs, "never past expiry");
    assert.ok(!this.token.isRevokedInLog, "never what was revoked");
  }

  override send(text: string): void {
    super.send(text);
    assert.ok(this.code === null && !this.#hasDisconnected, "nothing after the end");
    const { type, error } = this.last ?? {};
    if (type === "auth.ok") this.#handleAccepted();
    else if (type === "auth.refused" && error !== "busy") this.#handleRefused(error);
  }

  override close(code: number, reason: string): void {
    super.close(code, reason);
    assert.equal(this.closings, 1, "closed once");
    assert.ok(!this.#hasDisconnected);
    const { token, checking } = this;
    const concerned = [token, checking].filter((one) => one !== null);
    const isPast = (one: Token) => this.#now >= one.exp * 1000;
    if (code === 4401) assert.ok(concerned.some(isPast));
    else if (code === 4408) {
      assert.ok(token === null && checking === null);
      assert.ok(this.#sentBeforeToken || this.#now - this.#connectedAt >= 10_000);
    } else if (code === 4429) assert.equal(token, null, "only its subject has too many");
    else if (code === 4453) assert.ok(this.#environment.hadFailure || this.#environment.isDraining);
    else if (code === 4501) assert.ok(token === null && checking?.defect === "forged");
    else if (code === 4502) assert.equal(checking?.defect, "narrow");
    else if (code === 4503) {
      assert.ok(concerned.some((one) => one.isRevokedInLog || one.isRevokedAtProvider || isPast(one)));
    } else if (code === 4504) assert.ok(token !== null && checking?.subject !== token.subject);
    else assert.fail(`${code} ${reason}`);
  }

  /** After every step. */
  assertInvariants(): void {
    const { state } = this.connection;
    assert.equal(state === "closed", this.#hasDisconnected || this.closings === 1);
    if (state !== "open" || this.token === null) return;
    const { exp, revokedInLogAt } = this.token;
    assert.ok(this.#now < revokedInLogAt + 1_000, "closed within a second of a revocation");
    const endsAt = exp * 1000 + this.#environment.toleranceMs;
    assert.ok(this.#now < endsAt + 1_000 || this.checking !== null, "closed within a second of its end");
    if (this.checking === null) assert.equal(this.delivered.length, this.#sentCount);
  }

  /** When nothing is wrong any more, and every look was taken. */
  assertSettled(): void {
    assert.equal(this.checking === null || this.connection.state === "closed", true);
    if (!this.isOpen || this.token === null) return;
    const { exp, isRevokedAtProvider, isRevokedInLog } = this.token;
    assert.ok(!isRevokedInLog && !isRevokedAtProvider);
    assert.ok(this.#now < exp * 1000 + this.#environment.toleranceMs + 1_000);
    assert.equal(this.isPaused, false);
  }

  get #now(): number {
    return this.#environment.clock.now();
  }

  #handleAccepted(): void {
    const accepted = this.checking ?? this.token;
    assert.ok(accepted !== null);
    assert.ok(accepted.defect === null || (accepted.defect === "another's" && this.token === null));
    assert.ok(!accepted.isRevokedInLog && this.#now < accepted.exp * 1000 + this.#environment.toleranceMs);
    assert.ok(this.token === null || this.token.subject === accepted.subject);
    this.token = accepted;
    this.checking = null;
  }

  #handleRefused(error: unknown): void {
    const refused = this.checking;
    assert.ok(refused !== null && this.token !== null);
    if (error === "temporarily_unavailable") assert.ok(this.#environment.hadFailure);
    else {
      assert.equal(error, "invalid_token");
      const isOver = this.#now >= refused.exp * 1000;
      const isBad = refused.defect === "forged" || refused.defect === "expired";
      assert.ok(isBad || isOver || refused.isRevokedInLog || refused.isRevokedAtProvider);
    }
    this.checking = null;
  }
}
