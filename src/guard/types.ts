import type { Tracing } from "../core/tracing.ts";
import type { ClaimRules } from "../core/claim-rules.ts";
import type { Clock } from "../core/clock.ts";
import type { Entropy } from "../core/entropy.ts";
import type { MetricSource } from "../core/metrics.ts";
import type { CallOptions, DegradedMode, Rules } from "../core/rules.ts";
import type { Decision, JwtClaims, Verdict } from "../core/verdict.ts";
import type { Algorithm } from "../jwt/algorithms.ts";
import type { RequiredClaim } from "../jwt/claims.ts";
import type { RevocationFeed, Snapshots } from "../stores/store.ts";
import type { SharedAnswersSource } from "../stores/shared-answers.ts";
import type { AuthoritySource } from "./authority/authority.ts";
import type { KeySource } from "./keys/key-source.ts";
import type { IssuerPattern } from "./issuers/tenants.ts";
import type { GuardStatus } from "./status-types.ts";

/**
 * An issuer whose tokens the guard accepts, and the rules for its tokens. Two issuers of one guard share none of this.
 *
 * @example
 * ```ts
 * import { introspection, jwks, type TrustedIssuer } from "holdfast";
 *
 * export const issuer: TrustedIssuer = {
 *   issuer: "https://id.example.com",
 *   audience: "https://api.example.com",
 *   keys: jwks("https://id.example.com/.well-known/jwks.json"),
 *   authority: introspection({
 *     url: "https://id.example.com/oauth/introspect",
 *     clientId: "orders-api",
 *     clientSecret: "the secret of orders-api",
 *   }),
 * };
 * ```
 */
export interface TrustedIssuer {
  /** The exact `iss` of accepted tokens, or the issuers of a provider's tenants: `tenants(pattern, values)`. */
  issuer: string | IssuerPattern;
  /** The token's `aud` must contain one of these. Required; `null` skips the check. */
  audience: string | readonly string[] | null;
  /**
   * `jwks(url)`, `staticKeys(jwkSet)`, `sharedSecret(bytes, algorithm)` or `discovered()`, which is the default. A list of
   * up to ten accepts the keys of each, while an issuer changes its secret or its algorithm.
   */
  keys?: KeySource | readonly KeySource[];
  /**
   * The endpoint that the guard asks about each token: `introspection({ … })` or `tokenValidation({ … })`. Default:
   * none, and the verification decides alone.
   */
  authority?: AuthoritySource;
  /**
   * The revocation log: an issuer's `.revocations`, or `httpRevocations({ … })`. Default: none, and `revocationAgeMs` is
   * `null`.
   */
  revocations?: RevocationFeed;
  /** Accepted signature algorithms. Default: every asymmetric algorithm, or the algorithm of `sharedSecret`. */
  algorithms?: readonly Algorithm[];
  /**
   * Accepted values of `typ`, compared without case and without `application/`. Default `["at+jwt", "jwt"]`. `"id"`
   * accepts ID tokens, for providers whose bearer is one; all others refuse them.
   */
  types?: readonly string[];
  /** Whether to refuse tokens without `typ`. Default false. */
  requireTyp?: boolean;
  /**
   * Required claims in addition to `iss`, `aud` and `exp`. A list in the list stands for one of its claims. Default
   * `["sub"]`.
   */
  requiredClaims?: readonly RequiredClaim[];
  /** Whether to accept tokens without `exp`, which never expire. Default false. */
  allowMissingExp?: boolean;
  /** Whether to accept tokens without `iss`. Only a guard with one issuer can. Default false. */
  allowMissingIss?: boolean;
  /**
   * The values that claims must have, by name or by a path such as `realm_access.roles`: one value, or `oneOf(…)`. A
   * claim with several values needs one of them. Another value, or none, is `wrong_claim`. Default: none.
   */
  claims?: ClaimRules;
  /** The claim that is compared with `audience`, for providers that name the client there. Default `"aud"`. */
  audienceFrom?: string;
  /** The claim that names the subject. It is then also the one that is required by default. Default `"sub"`. */
  subjectFrom?: string;
  /** The claim that names the session. Default `"sid"`. */
  sessionFrom?: string;
  /**
   * The claims whose values are the scopes of a token: texts with blanks, or lists. The scopes of all of them count, but
   * `scp` only where `scope` is absent. Default `["scope", "scp"]`.
   */
  scopesFrom?: string | readonly string[];
}

/**
 * Tells whether the guard trusts an issuer that stands in a token, and under which rules. `null` when it does not. An
 * error or no answer within 5 seconds makes the token `unavailable`. The guard keeps an answer for 5 minutes, a `null` for
 * one minute, and the last answer for a day while the function fails.
 *
 * @example
 * ```ts
 * import { createGuard, type IssuerFor } from "holdfast";
 *
 * declare const customers: { find(issuer: string): Promise<{ audience: string } | null> };
 *
 * const issuerFor: IssuerFor = async (issuer) => {
 *   const customer = await customers.find(issuer);
 *   return customer && { issuer, audience: customer.audience };
 * };
 * export const guard = createGuard({ issuerFor });
 * ```
 */
export type IssuerFor = (
  issuer: string,
  call: { readonly signal: AbortSignal },
) => TrustedIssuer | null | Promise<TrustedIssuer | null>;

/** The options of a guard that do not belong to one issuer. */
export interface CommonGuardOptions {
  /**
   * The laxest mode that the guard may use while an authority gives no answer. `maxMs` bounds its duration, in
   * milliseconds. Default `"deny"`, and 3,600,000 for `maxMs`.
   */
  degraded?: DegradedMode | { mode: DegradedMode; maxMs?: number };
  /** How far clocks may differ when `exp`, `nbf` and `iat` are checked, in milliseconds. Default 5,000, at most 300,000. */
  clockToleranceMs?: number;
  /** The longest token that the guard reads, in bytes. Default 16,384, at most 1,048,576. */
  maxTokenBytes?: number;
  /**
   * Limits of the result cache, which also holds the authority's answers. `maxBytes` defaults to 67,108,864; invalid
   * results get a sixteenth of it on top. `ttlMs` defaults to 300,000.
   */
  memory?: { maxBytes?: number; ttlMs?: number };
  /** The cache of authority answers that instances share: `redisAnswers({ … })`. Default: none. */
  shared?: SharedAnswersSource;
  /** How often the guard polls a revocation feed, in milliseconds. Default 250, from 10 to 60,000. */
  revocationPollMs?: number;
  /**
   * The greatest age of the complete view of revocations, in milliseconds. An older view makes the verdict
   * `unavailable`. `Infinity` accepts any age. Default 60,000 in mode `deny`, else the `maxMs` of `degraded`.
   */
  maxRevocationAgeMs?: number;
  /**
   * The greatest age of the user's login, in milliseconds, at least 1,000. A token with an older `auth_time`, or without
   * one, is refused with `insufficient_user_authentication` (RFC 9470). A route's rule can be stricter. Default: any age.
   */
  maxAuthAgeMs?: number;
  /** The most revocations that are held for each issuer. A log with more makes the view incomplete. Default 2,000,000. */
  maxRevocations?: number;
  /**
   * Keeps the last good keys and the last view of revocations across restarts: `fileSnapshots({ dir })`. Guards that share
   * a directory need different names. Default: none.
   */
  snapshots?: Snapshots;
  /**
   * The most proven issuers of `issuerFor` and of patterns with `"any"` that are in memory. The least recently used one
   * makes room, and is found again. Default 1,000, at most 100,000.
   */
  maxIssuers?: number;
  /** The guard's name in events, metrics and snapshots. Default `"guard"`. */
  name?: string;
  /** Default: the system's clock. */
  clock?: Clock;
  /** Returns a number from 0 to 1, for jitter. Default `Math.random`. */
  random?: () => number;
  /** Source of ids and of initialization vectors, for simulations. Default: the operating system. */
  entropy?: Entropy;
  /**
   * Whether the guard explains on the console why it refused a token with a wrong audience, issuer or type, with a wrong
   * or missing claim, and why keys cannot be fetched: the first case of each kind or claim in a minute. Default true.
   * The refusals are also events `token_refused`, which this option does not end.
   */
  warnings?: boolean;
  /** Records spans, such as `createTracing()` of `holdfast/opentelemetry`. Default: none are recorded. */
  tracing?: Tracing;
}

export interface SingleIssuerOptions extends CommonGuardOptions, TrustedIssuer {
  issuers?: undefined;
  issuerFor?: undefined;
}

interface SeveralIssuersOptions extends CommonGuardOptions, Partial<Record<keyof TrustedIssuer, undefined>> {
  /** Several issuers behind one guard. The token's `iss` selects one. A failure of one does not touch the others. */
  issuers: readonly TrustedIssuer[];
  /** Finds the issuers that `issuers` does not name. */
  issuerFor?: IssuerFor;
}

interface FoundIssuersOptions extends CommonGuardOptions, Partial<Record<keyof TrustedIssuer, undefined>> {
  issuers?: undefined;
  /** Finds the issuer that a token names. One broken issuer does not touch the others. */
  issuerFor: IssuerFor;
}

/**
 * The options of `createGuard`: those of one trusted issuer, a list of `issuers` or a function that finds them, and those
 * of the guard itself.
 */
export type GuardOptions = SingleIssuerOptions | SeveralIssuersOptions | FoundIssuersOptions;

/**
 * A token that was accepted for longer than a request: for a connection, a stream or a long job.
 *
 * @example
 * ```ts
 * import type { Guard } from "holdfast";
 *
 * declare const guard: Guard;
 *
 * export async function openStream(token: string, send: (data: string) => boolean): Promise<void> {
 *   const admission = await guard.admit(token, { scopes: ["orders:read"] });
 *   if (admission.status !== "admitted") return;
 *   while (admission.current().status === "valid" && send("tick")) {
 *     await new Promise((resolve) => setTimeout(resolve, 1_000));
 *   }
 * }
 * ```
 */
export interface Admission<C = JwtClaims> {
  readonly status: "admitted";
  /** Whether an authority exists that `recheck` asks. */
  readonly hasAuthority: boolean;
  /** Decides again, from what this instance knows. Nothing is awaited: a call takes about a microsecond. */
  current(): Decision<C>;
  /**
   * Decides again, and asks the authority when its last answer has expired. An `unavailable` decision changes nothing:
   * `current` still uses the earlier answer. Rejects only with the reason of `signal`.
   */
  recheck(call?: CallOptions): Promise<Decision<C>>;
}

/**
 * Validates tokens. `createGuard` makes it. `C` is the type of the claims, which the guard does not check beyond
 * `requiredClaims`.
 *
 * @example
 * ```ts
 * import { createGuard } from "holdfast";
 *
 * const guard = createGuard({ issuer: "https://id.example.com", audience: "https://api.example.com" });
 *
 * export async function listOrders(token: string): Promise<Response> {
 *   const decision = await guard.authorize(token, { scopes: ["orders:read"] });
 *   if (decision.status === "valid") return Response.json({ orders: [], of: decision.subject });
 *   if (decision.status === "forbidden") return new Response(null, { status: 403 });
 *   if (decision.status === "invalid") return new Response(null, { status: 401 });
 *   const retryAfter = String(Math.ceil(decision.retryAfterMs / 1_000));
 *   return new Response(null, { status: 503, headers: { "retry-after": retryAfter } });
 * }
 * ```
 */
export interface Guard<C = JwtClaims> extends MetricSource {
  readonly name: string;
  /** Validates a token without the rules of a route. Rejects only with the reason of `signal`. */
  validate(token: string, call?: CallOptions): Promise<Verdict<C>>;
  /**
   * Validates a token under the rules of a route. Rejects with the reason of `signal`, and with `invalid_option` for an
   * unknown rule or a wrong value.
   */
  authorize(token: string, rules?: Rules & CallOptions): Promise<Decision<C>>;
  /** Authorizes a token for longer than a request. `holdfast/connections` uses it. Rejects as `authorize` does. */
  admit(
    token: string,
    rules?: Rules & CallOptions,
  ): Promise<Admission<C> | Exclude<Decision<C>, { status: "valid" }>>;
  /** Calls `listener` after every new revocation, until the returned function is called. */
  watch(listener: () => void): () => void;
  /** Reports the state of the guard and its parts. Nothing is asked. */
  status(): GuardStatus;
  /**
   * Resolves when every issuer, or the named one, can decide: it has keys, a complete view of revocations, and an answer
   * of its authority. A failed question to the authority is enough in degraded mode `local`.
   *
   * Rejects with `not_ready` after `timeoutMs` milliseconds (default 5,000), with `closed`, and with the reason of
   * `signal`.
   */
  ready(options?: { timeoutMs?: number; issuer?: string } & CallOptions): Promise<void>;
  /**
   * Use it when the issuer's signing keys may be known to others. Earlier verifications no longer count, and the key set
   * is fetched at once. `issuer` may be left out when the guard has one issuer. Throws `invalid_option` for another one.
   */
  distrustKeys(issuer?: string): void;
  /**
   * Fetches the key set of the issuer again, unless a fetch was made a moment ago (`coolingDownMs` of its keys). `issuer` is
   * as for `distrustKeys`.
   */
  refreshKeys(issuer?: string): void;
  /**
   * Opens or closes the breaker of the issuer's authority by hand. `null` returns to automatic operation. Throws
   * `invalid_option` for an unknown issuer and for one without an authority.
   */
  forceBreaker(state: "open" | "closed" | null, issuer?: string): void;
  /** Aborts calls in flight and stops timers and subscriptions. Later calls are `unavailable` with the cause `closed`. */
  close(): Promise<void>;
}
