import type { BenchClock } from "../bench-clock.ts";

/** What a server of the bench needs to know. */
export interface ServerOptions {
  /** The address of the server. */
  readonly url: string;
  /** The origin of the page. */
  readonly page: string;
  readonly clock: BenchClock;
  /** Lifetime of an access token. */
  readonly lifeMs: number;
  /** Replaces `expires_in` of every token response, to show what a faulty server does to a client. */
  readonly expiresIn?: unknown;
}

/** An auth server that speaks the protocol of one client. */
export interface AuthServer {
  fetch(request: Request): Promise<Response>;
  /** Whether the request asks for a new access token, and thus whether faults concern it. */
  isRefresh(request: { method: string; path: string; body: string }): boolean;
  /** Whether the API lets the request in. */
  admits(request: Request): boolean | Promise<boolean>;
  /** How many sessions are alive. */
  liveSessions(): number | Promise<number>;
  /** Ends every session, as an administrator does. */
  endAll(): void | Promise<void>;
  close?(): Promise<void>;
}
