/** Why a token was refused for good: each is proved by the token, the keys, the clock or the revocation log. */
export type InvalidReason =
  /** Longer than `maxTokenBytes`. */
  | "too_large"
  /** Not a strict JWT (RFC 7515 §7.1): parts, base64url, UTF-8, JSON, duplicate members, depth. */
  | "malformed"
  /** `typ` is not one that the policy accepts (RFC 8725 §3.11). */
  | "wrong_type"
  /** `alg` is not allowed here, or not the one the key was declared for. */
  | "wrong_algorithm"
  /** `crit` names an extension that is not understood (RFC 7515 §4.1.11). */
  | "unknown_critical"
  /** A key set fetched after this `kid` was first seen does not hold it. */
  | "unknown_key"
  | "bad_signature"
  | "wrong_issuer"
  | "wrong_audience"
  /** A required claim is missing. */
  | "missing_claim"
  /** A claim has the wrong type or an impossible value. */
  | "invalid_claim"
  /** Bound to a key or certificate by `cnf` (RFC 7800), which is not supported: refused rather than half checked. */
  | "sender_constrained"
  | "expired"
  /** `nbf` or `iat` lies in the future. */
  | "not_yet_valid"
  /** The authority does not know the opaque token, or calls it no longer active. */
  | "inactive"
  /** In the log; or the authority said no to a token that proved itself. */
  | "revoked";

/** What kept us from finding out. Never the user's fault: 503, and a client never logs out on it. */
export type UnavailableCause =
  /** No usable key set was ever obtained. */
  | "keys_unavailable"
  /** No key here fits the token, and no key set could be fetched since it was first seen. */
  | "key_pending"
  /** The view of revocations is missing, or older than the policy allows. */
  | "revocations_stale"
  /** The authority did not answer, answered too late, or answered nonsense. */
  | "authority_unavailable"
  /** The authority refused us: our credentials, our URL, our request. */
  | "authority_misconfigured"
  /** Too many proofs or questions are under way. */
  | "overloaded"
  /** The clock jumped, and whether the token is in time depends on which time is right. */
  | "clock_uncertain"
  /** The guard was closed. */
  | "closed";

/** Registered claims of an access token (RFC 7519 §4.1, RFC 9068 §2.2), as they came. Dates are epoch seconds. */
export interface JwtClaims {
  iss?: string;
  sub?: string;
  aud?: string | readonly string[];
  exp?: number;
  nbf?: number;
  iat?: number;
  jti?: string;
  /** Separated by spaces (RFC 8693 §4.2); several providers send an array. */
  scope?: string | readonly string[];
  sid?: string;
  client_id?: string;
  [name: string]: unknown;
}

/** What the token turned out to be. */
export type Verdict<C = JwtClaims> =
  | {
      readonly status: "valid";
      /** Deeply frozen and shared between calls. */
      readonly claims: Readonly<C>;
      /** `sub`, or `""` where the policy waives it. */
      readonly subject: string;
      readonly scopes: readonly string[];
      readonly sessionId?: string | undefined;
      /** `exp` in epoch milliseconds; `Infinity` where the policy waives it. */
      readonly expiresAt: number;
      readonly basis: "verification" | "authority";
      readonly from: "memory" | "shared" | "verification";
      readonly degraded: null | { readonly cause: string; readonly sinceMs: number };
      /** Age of this instance's complete view of revocations; `null` when the guard has no log. */
      readonly revocationAgeMs: number | null;
    }
  | { readonly status: "invalid"; readonly reason: InvalidReason }
  | { readonly status: "unavailable"; readonly cause: UnavailableCause; readonly retryAfterMs: number };

/** A verdict under a route's rules. */
export type Decision<C = JwtClaims> =
  | Verdict<C>
  | { readonly status: "forbidden"; readonly missing: readonly string[] };

export type InvalidVerdict = Extract<Verdict, { status: "invalid" }>;
export type UnavailableVerdict = Extract<Verdict, { status: "unavailable" }>;

/** When there is nothing better to say. */
const RETRY_AFTER_MS = 1_000;

export function invalidVerdict(reason: InvalidReason): InvalidVerdict {
  return { status: "invalid", reason };
}

export function unavailableVerdict(
  cause: UnavailableCause,
  retryAfterMs: number = RETRY_AFTER_MS,
): UnavailableVerdict {
  return { status: "unavailable", cause, retryAfterMs };
}
