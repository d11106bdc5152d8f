import assert from "node:assert/strict";
import type { ConnectionHandle } from "../../src/connections/index.ts";
import type { FakeClock } from "../../src/testing/index.ts";
import { TestTransport, tokenMessage } from "./fixture.ts";

/** A token, as the test knows it, independent of what the guard knows. */
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

/** A defect that the token has from the beginning. */
export type Defect = "forged" | "expired" | "narrow" | "another's" | null;

/** The conditions that all connections share. */
export interface Environment {
  readonly clock: FakeClock;
  readonly toleranceMs: number;
  /** Whether a fault was injected in this history. */
  hadFailure: boolean;
  isDraining: boolean;
}

/** A client that numbers its messages, with its connection. It asserts that each message to it has a cause. */
export class Peer extends TestTransport {
  connection!: ConnectionHandle;
  readonly user: string;
  readonly #environment: Environment;
  readonly #connectedAt: number;
  /** The token in effect. */
  token: Token | null;
  /** The token that is being checked. */
  checking: Token | null = null;
  #sentCount = 0;
  #hasDisconnected = false;
  /** Whether it sent a message before its first token. */
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

  /** Whether it has not presented a token yet. */
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
    // A library also reports the end of a connection that this side closed.
    this.#hasDisconnected ||= this.isConnected;
    this.connection.closed();
  }

  override deliver(message: unknown): void {
    super.deliver(message);
    assert.equal(message, this.delivered.length - 1, "in order, none lost");
    assert.ok(this.token !== null && this.code === null && !this.#hasDisconnected);
    assert.ok(this.#now < this.token.exp * 1000 + this.#environment.toleranceMs, "no message after expiry");
    assert.ok(!this.token.isRevokedInLog, "no message after a revocation");
  }

  override send(text: string): void {
    super.send(text);
    assert.ok(this.code === null && !this.#hasDisconnected, "nothing is sent after the close");
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
    } else if (code === 4429) assert.equal(token, null, "this limit closes only before the first token");
    else if (code === 4453) assert.ok(this.#environment.hadFailure || this.#environment.isDraining);
    else if (code === 4501) assert.ok(token === null && checking?.defect === "forged");
    else if (code === 4502) assert.equal(checking?.defect, "narrow");
    else if (code === 4503) {
      assert.ok(concerned.some((one) => one.isRevokedInLog || one.isRevokedAtProvider || isPast(one)));
    } else if (code === 4504) assert.ok(token !== null && checking?.subject !== token.subject);
    else assert.fail(`${code} ${reason}`);
  }

  /** Asserts what holds after each step. */
  assertInvariants(): void {
    const { state } = this.connection;
    assert.equal(state === "closed", this.#hasDisconnected || this.closings === 1);
    if (state !== "open" || this.token === null) return;
    const { exp, revokedInLogAt } = this.token;
    assert.ok(this.#now < revokedInLogAt + 1_000, "closed within a second of a revocation");
    const endsAt = exp * 1000 + this.#environment.toleranceMs;
    assert.ok(this.#now < endsAt + 1_000 || this.checking !== null, "closed within a second of the expiry");
    if (this.checking === null) assert.equal(this.delivered.length, this.#sentCount);
  }

  /** Asserts what holds when all faults are over and a sweep has followed. */
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
