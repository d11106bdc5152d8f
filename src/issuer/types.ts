import type { Clock } from "../core/clock.ts";
import type { EndReason, RevocationFeed, SigningKeyRecord, Store } from "../stores/store.ts";

export interface IssuerOptions {
  /** `iss` of every token, and base of the metadata. An http(s) URL without query or fragment. */
  url: string;
  /** `aud` of every access token. */
  audience: string;
  store: Store;
  /**
   * At least 32 random bytes as text; a comma list: the first seals, all open. With several processes, give the new
   * one to all of them as the last before any has it as the first: who does not know it refuses what it made. A
   * secret that was replaced stays in the list until the last session that began under it has expired.
   */
  secret: string;
  /** Checks credentials. Default: the store's own users. Throwing is unavailable, never "wrong password". */
  authenticate?: Authenticate;
  /** Services: each may validate, introspect, read revocations, and get tokens of its own. */
  clients?: readonly Client[];
  /** Exact origins of browser applications. */
  corsOrigins?: readonly string[];
  /** Signature algorithm of new keys. Default `ES256`. */
  algorithm?: "ES256" | "ES384" | "EdDSA" | "RS256" | "PS256";
  /** Defaults: 10 min, 30 d, 90 d, 30 s, 30 d. */
  accessTokenTtlMs?: number;
  refreshIdleMs?: number;
  refreshAbsoluteMs?: number;
  graceMs?: number;
  keyRotationMs?: number;
  /** Names the issuer in events. Default `"issuer"`. */
  name?: string;
  clock?: Clock;
  /** Spreads background work over time; from 0 to 1. Default `Math.random`. Never a source of secrets. */
  random?: () => number;
}

/** A service that shows who it is by a secret (RFC 6749 §2.3.1). */
export interface Client {
  /** `sub` and `client_id` of its own tokens. Not `holdfast`, and no colon in it. */
  readonly id: string;
  /** At least 16 characters. The same id may stand twice, for the time in which a secret is replaced. */
  readonly secret: string;
  /** What its own tokens may be granted. Default none. */
  readonly scopes?: readonly string[];
}

export interface AuthenticatedUser {
  readonly subject: string;
  readonly scopes: readonly string[];
  /** Further claims of the access tokens; registered names are refused. */
  readonly claims?: Readonly<Record<string, unknown>>;
}

export type Authenticate = (
  credentials: Readonly<Record<string, unknown>>,
  call: { signal: AbortSignal },
) => Promise<AuthenticatedUser | null> | AuthenticatedUser | null;

/** Where a request came from. */
export interface RequestInfo {
  /** Address for limits and audit, as the server saw it. */
  source?: string | undefined;
  /** `User-Agent`, for the list of sessions. */
  device?: string | undefined;
  signal?: AbortSignal | undefined;
}

/** The wire form: RFC 6749 §5.1 and what a client needs to plan. Seconds. */
export interface TokenResponse {
  readonly access_token: string;
  readonly token_type: "Bearer";
  readonly expires_in: number;
  readonly refresh_token: string;
  readonly refresh_token_expires_in: number;
  readonly session_id: string;
  readonly scope: string;
}

export type LoginOutcome =
  | { readonly status: "ok"; readonly tokens: TokenResponse }
  | { readonly status: "denied" }
  | { readonly status: "limited"; readonly retryAfterMs: number }
  | { readonly status: "unavailable"; readonly retryAfterMs: number };

export type RefreshOutcome =
  | { readonly status: "ok"; readonly tokens: TokenResponse }
  | { readonly status: "invalid_grant" }
  /** The successor is in use already: re-read your own store. Nothing issued, nothing revoked. */
  | { readonly status: "refresh_conflict" }
  | { readonly status: "unavailable"; readonly retryAfterMs: number };

export interface IssuerStatus {
  readonly name: string;
  readonly url: string;
  readonly store: {
    readonly description: string;
    readonly reachable: boolean;
    readonly lastError: string | null;
  };
  readonly keys: readonly Omit<SigningKeyRecord, "sealed">[];
}

/** What `holdfast revoke` and applications end. `id`: `sid`, `sub`, `jti` or `kid`, of at most 1,024 characters. */
export interface RevokeRequest {
  readonly kind: "session" | "subject" | "token" | "key";
  readonly id: string;
}

export interface Issuer {
  readonly name: string;
  /** Serves the HTTP contract: `/auth/*`, `/oauth/*`, `/.well-known/*`. Never rejects. */
  fetch(request: Request, requestInfo?: RequestInfo): Promise<Response>;
  login(credentials: Readonly<Record<string, unknown>>, requestInfo?: RequestInfo): Promise<LoginOutcome>;
  refresh(refreshToken: string, requestInfo?: RequestInfo): Promise<RefreshOutcome>;
  /** Resolves when the end is durable; rejects with `store_unavailable` otherwise. */
  endSession(sessionId: string, reason?: EndReason): Promise<void>;
  revoke(request: RevokeRequest): Promise<void>;
  /** For a guard in the same process. */
  readonly revocations: RevocationFeed;
  readonly users: {
    add(
      user: { username: string; password: string; scopes?: readonly string[] },
      options?: { onlyFirst?: boolean },
    ): Promise<"added" | "exists">;
    /** Sets the password and ends every session of the user. */
    setPassword(username: string, password: string): Promise<"changed" | "unknown">;
    list(options?: {
      after?: string;
      limit?: number;
    }): Promise<
      readonly { username: string; subject: string; scopes: readonly string[]; createdAt: number }[]
    >;
  };
  readonly keys: {
    list(): Promise<IssuerStatus["keys"]>;
    /** The one published next signs from now on. */
    rotate(): Promise<void>;
  };
  status(): IssuerStatus;
  /** Opens or makes the signing keys and checks that the store belongs to this secret; rejects naming what is wrong. */
  ready(): Promise<void>;
  close(): Promise<void>;
}
