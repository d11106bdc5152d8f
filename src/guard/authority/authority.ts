import type { RequestCounts } from "../../core/metrics.ts";
import type { Clock } from "../../core/clock.ts";
import type { Entropy } from "../../core/entropy.ts";
import type { JwtClaims, UnavailableVerdict } from "../../core/verdict.ts";
import type { Lane } from "../../resilience/two-lane-bulkhead.ts";
import type { GuardEventSource } from "../emit.ts";
import type { ServerDate } from "../server-date.ts";
import type { QuestionScope } from "./settings.ts";

/** The arguments that a guard opens an authority with. */
export interface AuthorityContext extends GuardEventSource {
  readonly issuer: string;
  readonly clock: Clock;
  /** Returns a number from 0 to 1, for jitter. */
  readonly random: () => number;
  /** Makes the ids of client assertions. `undefined` outside of a guard: the operating system makes them. */
  readonly entropy?: Entropy;
  /** Counts the requests, for the metrics of the guard. `undefined` outside of a guard. */
  readonly requests?: Pick<RequestCounts, "record">;
  /** Called with the time that each successful response shows. `undefined` outside of a guard. */
  readonly onServerDate?: (date: ServerDate) => void;
}

/**
 * An endpoint that knows more about a token than its signature says. `introspection({ … })` and `tokenValidation({ … })`
 * make one; the guard opens it, once.
 *
 * @example
 * ```ts
 * import { createGuard, introspection, type AuthoritySource } from "holdfast";
 *
 * declare const clientSecret: string;
 *
 * const authority: AuthoritySource = introspection({
 *   url: "https://id.example.com/oauth/introspect",
 *   clientId: "orders-api",
 *   clientSecret,
 * });
 * export const guard = createGuard({
 *   issuer: "https://id.example.com",
 *   audience: "https://api.example.com",
 *   authority,
 * });
 * ```
 */
export interface AuthoritySource {
  readonly kind: "introspection" | "validation";
  /** Matches the opaque tokens that the authority is asked about. `null` when it is asked about JWTs only. */
  readonly opaque: RegExp | null;
  /** `"opaque"` when JWTs are decided without the authority. Default `"all"`. */
  readonly ask?: QuestionScope;
  /** Whether an answer about an opaque token may lack the audience. Default false. */
  readonly allowMissingAud?: boolean;
  /**
   * A digest of the endpoint and the client. Instances share answers only under the same `identity`; without one they
   * share no answers.
   */
  readonly identity?: string;
  /**
   * A digest of all options that are not functions. An authority with another digest replaces that of an earlier answer of
   * `issuerFor`. Default: `identity`.
   */
  readonly optionsDigest?: string;
  open(context: AuthorityContext): Authority;
}

export type AuthorityAnswer =
  /** The members of the response, deeply frozen. Registered claims have their types; dates are epoch seconds. */
  | { readonly status: "yes"; readonly claims: Readonly<JwtClaims> }
  /** A definitive answer: the token is not, or no longer, active. */
  | { readonly status: "no" };

/** The answer, or the reason for a missing answer. */
export type AuthorityOutcome = AuthorityAnswer | UnavailableVerdict;

/** The caller's knowledge about a token, and its listeners for the question. */
export interface QuestionOptions {
  /**
   * `known`, the default, when a key verified the token or the authority confirmed it before. Anyone can make up tokens
   * that are `unknown`. They leave a quarter of the requests to the known ones, and wait in a separate queue.
   */
  readonly lane?: Lane;
  /** Called when the request leaves this process: until then the question waited for a free place. */
  readonly onSent?: () => void;
  /** Called when the authority answered, but not usably, and the token may be the cause. The outcome is unavailable. */
  readonly onUnusable?: () => void;
}

/** The client of one authority, behind its circuit breaker. */
export interface Authority {
  /**
   * Asks the authority about a token. Returns an outcome, not a promise, when no request is made: the breaker is open,
   * or too many questions are in flight. A promise resolves within the hard timeout, retries included, and never
   * rejects. Only a definitive answer becomes "no". The caller joins concurrent questions about one token.
   */
  ask(token: string, question?: QuestionOptions): AuthorityOutcome | Promise<AuthorityOutcome>;
  /**
   * The same for a signed token that could not be verified. A stranger can make up any number of these. They get only a
   * part of the concurrent requests, and their answers do not count for the health of the authority.
   */
  askUnverified(token: string, question?: QuestionOptions): AuthorityOutcome | Promise<AuthorityOutcome>;
  /**
   * How long a caller with a fallback should wait for an answer, in milliseconds. The larger of 80 and three times the
   * recent p99, at most the hard timeout.
   */
  readonly softTimeoutMs: number;
  /** Milliseconds since the authority stopped answering. `null` while it answers. */
  failingMs(): number | null;
  status(): AuthorityStatus;
  /** Begins the background probes. */
  start(): void;
  /**
   * Resolves when the authority has answered once; with `attempt: true` also after one failed attempt. Rejects when
   * `signal` aborts.
   */
  ready(signal: AbortSignal, wait: { attempt: boolean }): Promise<void>;
  /** Holds the breaker open or closed, until `null` returns it to automatic operation. */
  force(state: "open" | "closed" | null): void;
  /** Aborts the questions in flight. Their outcome is `unavailable` with the cause `closed`. */
  close(): void;
}

/**
 * The state of one authority, part of `guard.status()`.
 *
 * @example
 * ```ts
 * import type { AuthorityStatus, Guard } from "holdfast";
 *
 * declare const guard: Guard;
 *
 * const authorities: (AuthorityStatus | null)[] = guard.status().issuers.map(({ authority }) => authority);
 * for (const authority of authorities) {
 *   if (authority?.breaker === "open") console.log(`no answer for ${authority.failingMs} ms`);
 * }
 * ```
 */
export interface AuthorityStatus {
  readonly kind: AuthoritySource["kind"];
  readonly breaker: "closed" | "open" | "half-open" | "forced open" | "forced closed";
  /** Milliseconds since the authority stopped answering. `null` while it answers. */
  readonly failingMs: number | null;
  /** Milliseconds until an open breaker sends its next probe, or until `Retry-After` is over. Otherwise 0. */
  readonly retryAfterMs: number;
  /** How long a call with a fallback waits for an answer, in milliseconds. */
  readonly softTimeoutMs: number;
  /** The number of questions that wait or are being answered. */
  readonly inFlight: number;
  /**
   * Whether the authority does not answer, or rejects the guard's own request: its credentials, its URL or its form.
   * `null` while it answers.
   */
  readonly cause: "authority_unavailable" | "authority_misconfigured" | null;
  /** Why the last request failed. `null` when it succeeded. */
  readonly lastError: string | null;
}
