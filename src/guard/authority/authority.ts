import type { Clock } from "../../core/clock.ts";
import type { JwtClaims, UnavailableVerdict } from "../../core/verdict.ts";
import type { GuardEventSource } from "../emit.ts";

/** What a guard lends to the authority it opens. */
export interface AuthorityContext extends GuardEventSource {
  readonly issuer: string;
  readonly clock: Clock;
  /** From 0 to 1, for jitter. */
  readonly random: () => number;
}

/** Who knows more about a token than its signature says: `introspection({ … })`, `tokenValidation({ … })`. Opened once by its guard. */
export interface AuthoritySource {
  readonly kind: "introspection" | "validation";
  /** What a token must look like to be asked about although it is no JWT; `null`: none is. */
  readonly opaque: RegExp | null;
  /** Differs whenever answers may: tells whom it asks and as whom. Instances share answers only where it is the same. */
  readonly identity?: string;
  open(context: AuthorityContext): Authority;
}

export type AuthorityAnswer =
  /** The members of the answer, frozen; registered claims have their types, and times are epoch seconds. */
  | { readonly status: "yes"; readonly claims: Readonly<JwtClaims> }
  /** Definitive: the token is not, or no longer, good. */
  | { readonly status: "no" };

/** An answer, or why there is none. */
export type AuthorityOutcome = AuthorityAnswer | UnavailableVerdict;

/** One authority behind one breaker. */
export interface Authority {
  /**
   * What it says of this token. At once, and without a promise, when it is not asked: its breaker is open, or too many
   * questions are under way. Otherwise within the hard timeout, retries included. Never rejects; never says "no" on
   * anything but a definitive answer. Callers join questions about the same token before they come here.
   */
  ask(token: string): AuthorityOutcome | Promise<AuthorityOutcome>;
  /**
   * The same of a signed token that nobody could prove. Strangers can make as many as they like: only a part of the
   * questions under way are about such, and their answers say nothing about how the authority is.
   */
  askUnverified(token: string): AuthorityOutcome | Promise<AuthorityOutcome>;
  /** How long a caller that may fall back should wait for an answer: the larger of 80 ms and 3 × the recent p99. */
  readonly softTimeoutMs: number;
  /** How long it has not been answering, in milliseconds; `null` while it answers. */
  failingMs(): number | null;
  status(): AuthorityStatus;
  /** Begins the background probes. */
  start(): void;
  /** Resolves when it has answered once; with `attempt: true` also when it has failed to once. Rejects when `signal` aborts. */
  ready(signal: AbortSignal, wait: { attempt: boolean }): Promise<void>;
  /** Opens or closes the breaker by hand, until `null` gives it back to itself. */
  force(state: "open" | "closed" | null): void;
  /** Questions under way are given up: their callers hear `closed`. */
  close(): void;
}

export interface AuthorityStatus {
  readonly kind: AuthoritySource["kind"];
  readonly breaker: "closed" | "open" | "half-open" | "forced open" | "forced closed";
  /** How long it has not been answering; `null` while it answers. */
  readonly failingMs: number | null;
  /** Until the next probe of an open breaker, or until its `Retry-After` is over; 0 otherwise. */
  readonly retryAfterMs: number;
  readonly softTimeoutMs: number;
  /** Questions under way. */
  readonly inFlight: number;
  readonly lastError: string | null;
}
