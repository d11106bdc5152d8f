import type { CallOptions, Rules } from "../core/rules.ts";
import type { Clock } from "../core/clock.ts";
import type { Decision, JwtClaims, Verdict } from "../core/verdict.ts";
import type { Admission, Guard } from "../guard/types.ts";
import type { CloseError } from "./close-codes.ts";
import type { Refusal } from "./refusal.ts";

export type { Limited, Refusal } from "./refusal.ts";

/**
 * What a WebSocket library does for one connection. Adapters implement it. `opened` and `deliver` call the application:
 * what it throws is thrown on as an uncaught exception. One that throws from any other has lost its peer.
 */
export interface SocketTransport {
  /** A text message to the peer. */
  send(text: string): void;
  /** Ends the connection; `reason` has at most 123 bytes. */
  close(code: number, reason: string): void;
  /** A message that was held back, for the application. */
  deliver(message: unknown): void;
  /** Its token was good: the application gets to know the connection now. */
  opened?(): void;
  /** Stops reading, and goes on, where the library can. */
  pause?(): void;
  resume?(): void;
}

export interface ConnectionsOptions<C = JwtClaims> {
  guard: Guard<C>;
  /** Open connections in all. Default 100,000. */
  max?: number;
  /** Open connections of one subject. Default 100. */
  maxPerSubject?: number;
  /**
   * Handshakes under way, and as many connections without a token. One more of these takes the place of the one that
   * has been silent longest. Default 1,000.
   */
  maxPending?: number;
  /** How long a connection may be without a token when it comes in the first message. Default 10,000. */
  firstTokenMs?: number;
  /** How long before the end of its token a client is told, at most half of the time that it is good for. Default 60,000. */
  warnMs?: number;
  /** How often an authority is asked again about a token that it said yes to. Default 300,000. */
  recheckMs?: number;
  /** How often it is tried for a token that was let in without it. Default 5,000. */
  recheckDegradedMs?: number;
  /** Questions to authorities at a time. Default 32. */
  maxRechecks?: number;
  /** How long an authority may stay without an answer about an open connection. Default 60,000. */
  unconfirmedMs?: number;
  /** Over how long clients that are sent away together come back. Default 10,000. */
  spreadMs?: number;
  clock?: Clock;
  random?: () => number;
}

/** Why a connection ends, and when its peer may come back; `null`: it need not. */
export interface Closing {
  readonly error: CloseError;
  readonly code: number;
  readonly retryAfterMs: number | null;
}

/** A connection as its application sees it. */
export interface Connection<C = JwtClaims> {
  /** `pending` until its first token was good. */
  readonly state: "pending" | "open" | "closed";
  /**
   * What its token says; `null` while there was none. Another one when something of that changes: by a new token, an answer
   * of the authority, an outage. Ages in it are of then.
   */
  readonly auth: Extract<Verdict<C>, { status: "valid" }> | null;
  /** The decision as of now. Nobody is asked. */
  current(): Decision<C>;
}

/** A connection as its adapter sees it. */
export interface ConnectionHandle<C = JwtClaims> extends Connection<C> {
  /**
   * Whether the application gets this message now. `text` of a text message: one that brings a token is for us. What
   * arrives while a token is being checked that it waits for is delivered later, in order. `bytes` counts for the bound
   * on what waits, 256 KiB with 1 KiB for each message; by default the length of `text`, so give it for binary ones.
   */
  receive(message: unknown, text: string | null, bytes?: number): boolean;
  /** A token from the peer, by other means than a message. Resolves when it was decided on. Never rejects. */
  presentToken(token: string): Promise<void>;
  /** The peer has gone. */
  closed(): void;
}

export interface ConnectionsStatus {
  readonly open: number;
  /** Handshakes under way and connections without a token. */
  readonly pending: number;
  /** Of the open ones, let in without an authority. */
  readonly degraded: number;
  readonly subjects: number;
  /** Tokens that took another's place. */
  readonly refreshed: number;
  /** Refused for want of room. */
  readonly limited: number;
  /** Closed by us, by close code. */
  readonly closed: Readonly<Record<number, number>>;
}

export interface Connections<C = JwtClaims> {
  /** Before the upgrade: decides on the token, and on whether there is room. Rejects only with the reason of the caller's own signal. */
  admit(token: string, rules?: Rules & CallOptions): Promise<Admission<C> | Refusal<C>>;
  /** After the upgrade. What happened since `admit` counts: the connection may be closed already, without `opened`. */
  open(transport: SocketTransport, admission: Admission<C>, rules?: Rules): ConnectionHandle<C>;
  /** How somebody who was not admitted is turned away where no HTTP answer can be given; `null`: there was no token. */
  closing(refusal: Refusal<C> | null): Closing;
  /** A connection whose token is yet to come. */
  expect(transport: SocketTransport, rules?: Rules): ConnectionHandle<C>;
  status(): ConnectionsStatus;
  /** Takes no more, and sends everybody away within `overMs` (default 10,000, at most an hour), each with a time to come back. Resolves when they were told. */
  drain(options?: { overMs?: number }): Promise<void>;
  /** Sends everybody away at once and stops. The guard stays open. */
  close(): Promise<void>;
}
