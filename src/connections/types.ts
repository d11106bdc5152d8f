import type { MetricSource } from "../core/metrics.ts";
import type { CallOptions, Rules } from "../core/rules.ts";
import type { Clock } from "../core/clock.ts";
import type { Decision, JwtClaims, ValidVerdict } from "../core/verdict.ts";
import type { Admission, Guard } from "../guard/types.ts";
import type { CloseError } from "./close-codes.ts";
import type { RightsListener } from "./rights-change.ts";
import type { Refusal } from "./refusal.ts";

export type { Limited, Refusal } from "./refusal.ts";

/**
 * The socket of one connection. An adapter implements it for its WebSocket library.
 *
 * `opened` and `deliver` call the application. An error that they throw is rethrown as an uncaught exception, and the
 * connection stays open. An error that another method throws means that the peer is lost, and the connection closes.
 */
export interface SocketTransport {
  /** Sends a text message to the peer. */
  send(text: string): void;
  /** Starts the closing handshake. `reason` has at most 123 bytes. */
  close(code: number, reason: string): void;
  /** Passes a message to the application that waited while a token was checked. */
  deliver(message: unknown): void;
  /** The first token is valid: the application gets the connection now. */
  opened?(): void;
  /** Stops reading from the socket while messages wait. Left out when the library cannot. */
  pause?(): void;
  /** Reads from the socket again. */
  resume?(): void;
}

/** The options of `createConnections`. Times are in milliseconds, at most one day. */
export interface ConnectionsOptions<C = JwtClaims> {
  /** The guard that decides on each token. Close the connections before it. */
  guard: Guard<C>;
  /** The greatest number of open connections. Default 100,000. */
  max?: number;
  /** The greatest number of open connections of one subject. Default 100. */
  maxPerSubject?: number;
  /**
   * The greatest number of handshakes in progress, and of open connections without a token. One more connection without a
   * token closes the connection that has waited longest for its token. Default 1,000.
   */
  maxPending?: number;
  /** The time in which the first message must bring the token. Default 10,000. */
  firstTokenMs?: number;
  /**
   * The time before the token expires at which the client gets `auth.expiring`. A token that lives less than twice this
   * time is announced when half of its life is over. Default 60,000.
   */
  warnMs?: number;
  /** The time between two questions to the authority about a confirmed token, ± 25 %. Default 300,000. */
  recheckMs?: number;
  /** The same for a token that was accepted without the authority. Default 5,000. */
  recheckDegradedMs?: number;
  /** The greatest number of such questions at the same time. Default 32. */
  maxRechecks?: number;
  /** The time after which a connection closes because the authority does not answer about its token. Default 60,000. */
  unconfirmedMs?: number;
  /** The time over which clients that are closed together connect again. Default 10,000. */
  spreadMs?: number;
  /** The source of time. Default: the system's clock. */
  clock?: Clock;
  /** Returns a number from 0 up to 1, for jitter. Default `Math.random`. */
  random?: () => number;
}

/** How a refused connection is closed. */
export interface Closing {
  readonly error: CloseError;
  readonly code: number;
  /** When the client may connect again. `null` when it should not connect again with this token. */
  readonly retryAfterMs: number | null;
}

/** A live connection, as the application sees it. */
export interface Connection<C = JwtClaims> {
  /** The state is `pending` until the first token is accepted. */
  readonly state: "pending" | "open" | "closed";
  /**
   * The verdict on the current token. `null` until the first token is accepted. A new token, an answer of the authority or
   * an outage replaces the object. Ages in it count from the time at which it was made.
   */
  readonly auth: ValidVerdict<C> | null;
  /** Decides on the token again, from what this instance knows. It makes no request. */
  current(): Decision<C>;
  /**
   * Calls `listener` when the scopes or claims change: after a new token, or when the authority answers with others. It
   * is called once for each change, before the next message is delivered. The id and the times of a token are no change.
   *
   * The returned function removes the listener. A listener that throws or rejects changes nothing for the connection and
   * for other listeners; the event `listener_failed` reports it. Throws `invalid_option` unless it gets a function.
   *
   * @example
   * ```ts
   * import type { Connection } from "holdfast/connections";
   *
   * declare const connection: Connection;
   * declare const rooms: { leave(name: string): void };
   *
   * connection.onChange(({ before, now }) => {
   *   for (const scope of before.scopes) if (!now.scopes.includes(scope)) rooms.leave(scope);
   * });
   * ```
   */
  onChange(listener: RightsListener<C>): () => void;
  /**
   * Presents a token that arrived in a message of your own protocol. It replaces the current one if it is valid and of the
   * same subject. Resolves when the decision is made. Never rejects.
   */
  presentToken(token: string): Promise<void>;
}

/** A live connection, as its adapter sees it. */
export interface ConnectionHandle<C = JwtClaims> extends Connection<C> {
  /**
   * Takes a message from the peer. Returns whether the adapter should pass the message to the application now.
   *
   * `text` is the text of a text message, and `null` for a binary message. A message about the token is handled here. A
   * message that arrives while a token is checked waits, and `SocketTransport.deliver` gets it later, in order. `bytes` is
   * the size that counts against the limit of 256 KiB for waiting messages, with 1 KiB added for each message. It defaults
   * to the length of `text`.
   */
  receive(message: unknown, text: string | null, bytes?: number): boolean;
  /** The adapter calls this when the socket is closed. */
  closed(): void;
}

/** Counts of the live connections of this instance. */
export interface ConnectionsStatus {
  readonly open: number;
  /** Handshakes in progress, and connections without a token. */
  readonly pending: number;
  /** Open connections whose token was accepted without the authority. */
  readonly degraded: number;
  /** Distinct subjects of the open connections. */
  readonly subjects: number;
  /** Tokens that replaced an earlier token on an open connection. */
  readonly refreshed: number;
  /** Handshakes and connections that a limit refused. */
  readonly limited: number;
  /** Connections that this side closed, by close code. */
  readonly closed: Readonly<Record<number, number>>;
}

/** The live connections of one server. `createConnections` makes it, and the adapters' `protect` uses it. */
export interface Connections<C = JwtClaims> extends MetricSource {
  /**
   * Decides, before the upgrade, on the token and on the limits. Rejects only with the reason of `rules.signal`.
   */
  admit(token: string, rules?: Rules & CallOptions): Promise<Admission<C> | Refusal<C>>;
  /**
   * Opens a connection after the upgrade. The token is decided on again: the connection may be closed when this returns,
   * and `opened` is not called then.
   */
  open(transport: SocketTransport, admission: Admission<C>, rules?: Rules): ConnectionHandle<C>;
  /** Describes how to close a refused connection where no HTTP response is possible. `null` means: no token was sent. */
  closing(refusal: Refusal<C> | null): Closing;
  /**
   * Limits a transport on which no client has asked for a connection yet, as `maxPending` and `firstTokenMs` say. Calls
   * `close` at the limit. The returned function ends the wait.
   */
  expectTransport(close: () => void): () => void;
  /** Adds a connection whose first message brings the token. */
  expect(transport: SocketTransport, rules?: Rules): ConnectionHandle<C>;
  status(): ConnectionsStatus;
  /**
   * Refuses new connections, and closes all others evenly over `overMs`, each with its own time to connect again. `overMs`
   * defaults to 10,000 and is at most one hour. Resolves when every connection has its close frame.
   */
  drain(options?: { overMs?: number }): Promise<void>;
  /** Closes every connection at once, and stops. The guard stays open. */
  close(): Promise<void>;
}
