import type { Tracing } from "../core/tracing.ts";
import type { MetricSource } from "../core/metrics.ts";
import type { Clock } from "../core/clock.ts";
import type { Entropy } from "../core/entropy.ts";
import type { ErrorCode } from "../core/errors.ts";
import type { OnEvent } from "./hooks/session-event.ts";
import type { EndReason } from "../stores/session-store.ts";
import type { RevocationFeed, SigningKeyRecord, Store } from "../stores/store.ts";
import type { AccountOf, AuthenticatedUser, Authenticate, Renew } from "./users/authentication.ts";
import type { EndOptions, SessionFaults, Sessions } from "./sessions/session-types.ts";
import type { Users } from "./users/user-types.ts";

export type * from "./users/authentication.ts";

/** Options of `createIssuer`. Durations are milliseconds, at most ten years. */
export interface IssuerOptions {
  /** `iss` of every token, and base URL of the metadata. An http(s) URL without query or fragment (RFC 8414 §2). */
  url: string;
  /**
   * `aud` of the access tokens: one audience, or a list with at most 2,048 characters. A token names the whole list,
   * unless the request names some of it as `resource` (RFC 8707). The issuer's own endpoints accept tokens for the first.
   */
  audience: string | readonly string[];
  /** Holds all state of the issuer. The caller closes it after the issuer. */
  store: Store;
  /**
   * At least 32 random bytes as text, or a comma-separated list of such secrets. The first secret seals and signs;
   * every secret opens and verifies. To replace a secret on several processes, first append the new one everywhere,
   * then move it to the front. Keep the old secret until the last session that began under it has expired.
   */
  secret: string;
  /** Checks credentials. Default: the users of the store. */
  authenticate?: Authenticate;
  /** The most calls at once, as {@link Authenticate} explains. Further logins wait or are 503. Default: 64; at most 10,000. */
  maxAuthenticateCalls?: number;
  /**
   * Names the account of the credentials, for login limits. Only with `authenticate`. Default: each of the members
   * `username`, `email`, `login`, `user`, `phone` and `account` names one.
   */
  account?: AccountOf;
  /**
   * Asked at each refresh for the current rights of the user. Default: the scopes that a user of the store has now; the
   * rights of the login with `authenticate`.
   */
  renew?: Renew;
  /**
   * How the names of the store's users are compared: without case and outer blanks, or as they are spelt. Default: `"case-insensitive"`.
   */
  loginNames?: "case-insensitive" | "exact";
  /** Is told about theft, new devices and ended sessions. Never delays or fails a request. Default: no hook. */
  onEvent?: OnEvent;
  /** Records spans, such as `createTracing()` of `holdfast/opentelemetry`. Default: none are recorded. */
  tracing?: Tracing;
  /** Services that may validate and introspect tokens, read revocations and request tokens. Default: none. */
  clients?: readonly Client[];
  /** Exact origins of browser applications, for CORS. Default: none. */
  corsOrigins?: readonly string[];
  /** Lets pages of these origins keep their session in cookies that no script can read. Default: off. */
  cookies?: CookieOptions;
  /** Signature algorithm of new signing keys. Default: `ES256`. */
  algorithm?: "ES256" | "ES384" | "EdDSA" | "RS256" | "PS256";
  /** Lifetime of an access token. Default: 10 minutes; at least 1,000. */
  accessTokenTtlMs?: number;
  /** A session ends when it was not refreshed for this long. Default: 30 days; at least `accessTokenTtlMs`. */
  refreshIdleMs?: number;
  /** A session ends this long after its login. Default: 90 days; at least `refreshIdleMs`. */
  refreshAbsoluteMs?: number;
  /**
   * For this long after a refresh, the spent refresh token gets the same successor again, until the successor is known
   * to have arrived. A longer time than `refreshIdleMs` has no effect. Default: 24 hours; 0: a lost answer logs out.
   */
  lostAnswerMs?: number;
  /**
   * For this long after the successor arrived, the spent refresh token is a conflict. After it, it is proven reuse and
   * ends the session. Default: 30 seconds.
   */
  conflictMs?: number;
  /**
   * The most live sessions of one user. A login beyond it ends the session that was not refreshed for the longest time,
   * with the reason `evicted`. Among more than 200 sessions, the idlest of the 200 oldest ends. Default: 100.
   */
  maxSessions?: number;
  /** A signing key signs for this long. Default: 30 days; at least `accessTokenTtlMs`. */
  keyRotationMs?: number;
  /**
   * Lifetimes of a session whose login asks for a short one with `remember: false`, in milliseconds. They only shorten
   * the usual ones. Default: `{ idleMs: 3_600_000, absoluteMs: 43_200_000 }`, an hour and 12 hours.
   */
  shortSession?: { idleMs: number; absoluteMs: number };
  /** Name of the issuer in events. Default: `"issuer"`. */
  name?: string;
  /** Source of time. Default: the clock of the system. */
  clock?: Clock;
  /** Spreads background work over time. Returns a number from 0 to 1. Default: `Math.random`. No secret is made of it. */
  random?: () => number;
  /** Source of secrets, ids and EdDSA keys, for simulations. Default: the operating system. */
  entropy?: Entropy;
}

/** Options of sessions in cookies. */
export interface CookieOptions {
  /** Exact origins of the pages that may use cookies, for CORS with credentials and against request forgery. */
  origins: readonly string[];
  /**
   * `SameSite` of the cookies (RFC 6265bis). With `lax`, the access token is also sent when the user follows a link from
   * another site. Default: `strict`.
   */
  sameSite?: "strict" | "lax";
}

/** A service that authenticates with a secret (RFC 6749 §2.3.1). */
export interface Client {
  /** `sub` and `client_id` of the service's own tokens. Contains no colon, and is not `holdfast`. */
  readonly id: string;
  /** At least 16 characters. Two entries may share an id while a secret is replaced. */
  readonly secret: string;
  /** Scopes that the service's own tokens may have. Default: none. */
  readonly scopes?: readonly string[];
  /** Lifetime of the service's own access tokens, in milliseconds. Default: `accessTokenTtlMs` of the issuer. */
  readonly accessTokenTtlMs?: number;
  /**
   * The service gets refresh tokens for its own tokens, which only it can use. Lifetimes of its sessions, in milliseconds.
   * Each defaults to that of the issuer. Default: no refresh tokens.
   */
  readonly refreshTokens?: { readonly idleMs?: number; readonly absoluteMs?: number };
}

/** Facts about the request that the issuer cannot read from the request itself. */
export interface RequestInfo {
  /**
   * Address of the client, for login limits and audit events. `mountIssuer` of the HTTP adapters passes it. Without an
   * address, login limits count by account only, and a stranger can lock a user out.
   */
  source?: string | undefined;
  /** Description of the client in the list of sessions. `fetch` takes the `User-Agent` header by default. */
  device?: string | undefined;
  /** The user's name for the device, for the list of sessions. At most 64 characters of it are kept. */
  deviceName?: string | undefined;
  /**
   * The audiences for which a login or refresh wants its tokens, as `resource` of RFC 8707. A login narrows the whole
   * session, a refresh its own access token. Default: all that may be granted.
   */
  resources?: readonly string[] | undefined;
  /** Aborts when the client has gone. */
  signal?: AbortSignal | undefined;
}

/** The JSON of a token response (RFC 6749 §5.1), with what a client needs to plan its refresh. Durations are seconds. */
export interface TokenResponse {
  readonly access_token: string;
  readonly token_type: "Bearer";
  readonly expires_in: number;
  readonly refresh_token: string;
  /** Seconds until the refresh token expires if it is not used. */
  readonly refresh_token_expires_in: number;
  readonly session_id: string;
  readonly scope: string;
  /** Present when a refresh asked for it and the issuer waits for the acknowledgement. */
  readonly acknowledge?: true;
}

/** Result of `login`. `limited` and `unavailable` say nothing about the credentials. */
export type LoginOutcome =
  | { readonly status: "ok"; readonly tokens: TokenResponse }
  /** The credentials are wrong, or the user does not exist. */
  | { readonly status: "denied" }
  /** The request names an audience that the issuer does not have. */
  | { readonly status: "invalid_target" }
  /** Too many attempts for the account or from the source, or too many password checks at once. */
  | { readonly status: "limited"; readonly retryAfterMs: number }
  /** The store or `authenticate` failed. */
  | { readonly status: "unavailable"; readonly retryAfterMs: number };

/** Result of `beginSession`. */
export type BeginOutcome = Exclude<LoginOutcome, { status: "limited" }>;

/** Result of `refresh`. */
export type RefreshOutcome =
  | { readonly status: "ok"; readonly tokens: TokenResponse }
  /** The token is malformed, expired, revoked or reused. The user has to log in. */
  | { readonly status: "invalid_grant" }
  /** The request names an audience that the session does not have. Nothing was spent. */
  | { readonly status: "invalid_target" }
  /** The client already uses the successor: it must read its own token store again. Nothing was issued or revoked. */
  | { readonly status: "refresh_conflict" }
  /** The store failed. Nothing was spent, so the client can repeat the request with the same token. */
  | { readonly status: "unavailable"; readonly retryAfterMs: number };

/** Result of `acknowledge`. */
export type AcknowledgeOutcome =
  /** The acknowledgement is recorded, or there was nothing to record. */
  | { readonly status: "ok" }
  /** The text is not a refresh token of this issuer. */
  | { readonly status: "invalid_grant" }
  /** The store failed. The client can repeat the request or leave it: its next refresh is a sign of arrival, too. */
  | { readonly status: "unavailable"; readonly retryAfterMs: number };

/** State of an issuer, as this process knows it. */
export interface IssuerStatus {
  readonly name: string;
  readonly url: string;
  readonly store: {
    readonly description: string;
    /** `false` from a call that failed to the next one that succeeds. */
    readonly reachable: boolean;
    /** Message of the last error. `null` when the last call succeeded. */
    readonly lastError: string | null;
    /** The last write that failed, epoch ms. `null` when the last write succeeded, although reads may fail. */
    readonly writeFailure: { readonly code: ErrorCode; readonly message: string; readonly at: number } | null;
    /**
     * The store may have sessions, users or keys under a secret that this process lacks, and this says what to do. Their
     * requests are 503. `null` when this process knows every secret.
     */
    readonly unknownSecret: string | null;
    /** How far the clock of this process is ahead of that of the store. 0 when they agree within five seconds. */
    readonly clockDifferenceMs: number;
  };
  /** How many answers since the start were unavailable because of one session, although the store works. */
  readonly sessions: SessionFaults;
  /** Signing keys in order of creation. Times are epoch milliseconds. */
  readonly keys: readonly Omit<SigningKeyRecord, "sealed">[];
}

/** A revocation that an application or `holdfast revoke` asks for. */
export interface RevokeRequest {
  /** `subject` revokes every session and earlier token of a user; `key` every token that the key signed. */
  readonly kind: "session" | "subject" | "token" | "key";
  /** The `sid`, `sub`, `jti` or `kid`, at most 1,024 characters. */
  readonly id: string;
}

/**
 * An authorization server for first-party sessions. Every method opens the store on first use and rejects with
 * `closed` after `close()`. Methods other than `fetch`, `login`, `refresh` and `acknowledge` reject with `store_unavailable` when the
 * store fails.
 *
 * @example
 * ```ts
 * import type { Issuer } from "holdfast/issuer";
 *
 * declare const issuer: Issuer;
 *
 * const outcome = await issuer.login({ username: "ann", password: "correct horse" }, { source: "192.0.2.7" });
 * if (outcome.status === "ok") await issuer.endSession(outcome.tokens.session_id, "logout");
 * ```
 */
export interface Issuer extends MetricSource {
  readonly name: string;
  /** The paths that `fetch` serves. A segment such as `:id` stands for any text. */
  readonly paths: readonly string[];
  /**
   * Serves the HTTP contract: `/auth/*`, `/oauth/*` and `/.well-known/*`. Never rejects. `mountIssuer` of the HTTP
   * adapters calls it with the address of the client. Other callers pass that address as `source`.
   */
  fetch(request: Request, requestInfo?: RequestInfo): Promise<Response>;
  /** Checks credentials and begins a session. */
  login(credentials: Readonly<Record<string, unknown>>, requestInfo?: RequestInfo): Promise<LoginOutcome>;
  /**
   * Begins a session for a user whom the application has authenticated by itself, for example with a passkey. No HTTP
   * endpoint reaches it. `denied` when the subject is a disabled user of the store, and when the proof that `once` names
   * has begun a session before. Rejects with `invalid_option` when the user is not one that `authenticate` may return.
   */
  beginSession(user: AuthenticatedUser, requestInfo?: RequestInfo): Promise<BeginOutcome>;
  /** Spends a refresh token and issues its successor. */
  refresh(refreshToken: string, requestInfo?: RequestInfo): Promise<RefreshOutcome>;
  /** Records that the client has stored `refreshToken`, so that its predecessor does not get it again. Idempotent. */
  acknowledge(refreshToken: string): Promise<AcknowledgeOutcome>;
  /** Resolves when the end is durable, also for a session that has ended or does not exist. Default: `revoked`. */
  endSession(sessionId: string, reason?: EndReason): Promise<void>;
  /** Resolves when the revocation is durable. Rejects with `invalid_option` when the request is malformed. */
  revoke(request: RevokeRequest, options?: EndOptions): Promise<void>;
  /** The revocation log, for a guard in the same process. */
  readonly revocations: RevocationFeed;
  /** The sessions of every user, for an administrator. */
  readonly sessions: Sessions;
  /** The users of the store. `login` does not read them when `authenticate` is set. */
  readonly users: Users;
  readonly keys: {
    /** Reads the signing keys from the store. */
    list(): Promise<IssuerStatus["keys"]>;
    /** Retires the signing key. The key that is already published as the next one signs from now on. */
    rotate(options?: EndOptions): Promise<void>;
  };
  /**
   * Declares that secrets which this process lacks are no longer used. Their refresh tokens are then refused for good, and
   * are no longer 503. Returns how many secrets were forgotten.
   */
  forgetSecrets(): Promise<number>;
  /** Reads nothing from the store. */
  status(): IssuerStatus;
  /**
   * Opens the signing keys, or makes them on the first start. Rejects with `store_mismatch` when the store belongs to
   * another secret.
   */
  ready(): Promise<void>;
  /** Stops background work and ends pending long polls. Does not close the store. */
  close(): Promise<void>;
}
