import type { RefusalDetail } from "./refusal-detail.ts";

/** Why a token is invalid. The token, the keys, the clock, the authority or the revocation log proves each reason. */
export type InvalidReason =
  /** The token is longer than `maxTokenBytes`. */
  | "too_large"
  /** The token is not a strict JWT (RFC 7515 §7.1): its parts, base64url, UTF-8, JSON, duplicate members or depth. */
  | "malformed"
  /** The policy does not accept the `typ`, or what the token or its authority says about its use (RFC 8725 §3.11). */
  | "wrong_type"
  /** The token's `alg` is not allowed here, or is not the algorithm of the key. */
  | "wrong_algorithm"
  /** `crit` names an extension that Holdfast does not support (RFC 7515 §4.1.11). */
  | "unknown_critical"
  /** A key set that was fetched after the token's `kid` was first seen does not contain it. */
  | "unknown_key"
  | "bad_signature"
  | "wrong_issuer"
  | "wrong_audience"
  /** A required claim is missing. */
  | "missing_claim"
  /** A rule of `claims` does not accept the value of a claim, or the token lacks that claim. */
  | "wrong_claim"
  /** A claim has the wrong type or an impossible value. */
  | "invalid_claim"
  /** `cnf` binds the token to a key or certificate (RFC 7800). The guard cannot check that binding. */
  | "sender_constrained"
  | "expired"
  /** `nbf` or `iat` lies in the future. */
  | "not_yet_valid"
  /** The login is older than `maxAuthAgeMs` allows, or the token does not tell its time (`auth_time`, RFC 9470). */
  | "insufficient_user_authentication"
  /** The authority does not know the opaque token, or says that it is no longer active. */
  | "inactive"
  /** The revocation log contains the token, or the authority denied a token whose signature is valid. */
  | "revoked";

/** Why the guard could not decide. The user is not at fault: the response is 503, and a client must not log out on it. */
export type UnavailableCause =
  /** The guard has never had a usable key set. */
  | "keys_unavailable"
  /** The guard has no key for the token, and could not fetch a key set since it first saw the token's `kid`. */
  | "key_pending"
  /** `issuerFor` gave no answer about the token's issuer. */
  | "issuer_unavailable"
  /** The view of revocations is missing, or is older than the policy allows. */
  | "revocations_stale"
  /** The authority did not answer, answered too late, or sent an unusable response. */
  | "authority_unavailable"
  /** The authority rejected the guard's own request: its credentials, its URL or its form. */
  | "authority_misconfigured"
  /** Too many verifications or requests to the authority are running. */
  | "overloaded"
  /** The wall clock was stepped, and the token is in time by one reading of it and not by the other. */
  | "clock_uncertain"
  /** The guard was closed. */
  | "closed";

/** The claims of an access token (RFC 7519 §4.1, RFC 9068 §2.2), as the token carries them. Dates are epoch seconds. */
export interface JwtClaims {
  iss?: string;
  sub?: string;
  aud?: string | readonly string[];
  exp?: number;
  nbf?: number;
  iat?: number;
  jti?: string;
  /** Scopes separated by spaces (RFC 8693 §4.2). Several providers send an array. */
  scope?: string | readonly string[];
  sid?: string;
  /** When the user logged in. */
  auth_time?: number;
  client_id?: string;
  [name: string]: unknown;
}

/** The result of `validate`: valid, invalid, or unavailable when the guard could not decide. */
export type Verdict<C = JwtClaims> =
  | {
      readonly status: "valid";
      /** The claims are deeply frozen, and several calls share them. */
      readonly claims: Readonly<C>;
      /** The token's `sub`. Empty where the policy does not require it. */
      readonly subject: string;
      readonly scopes: readonly string[];
      readonly sessionId?: string | undefined;
      /** The token's `exp` in epoch milliseconds. `Infinity` where the policy does not require it. */
      readonly expiresAt: number;
      /** The grounds of the verdict: the token's own signature and claims, or the authority's answer. */
      readonly basis: "verification" | "authority";
      /** Where the guard found the result: its own cache, the cache that instances share, or a new verification. */
      readonly from: "memory" | "shared" | "verification";
      /** Why the guard accepted the token without its authority, and for how long it has done so. `null` otherwise. */
      readonly degraded: null | { readonly cause: string; readonly sinceMs: number };
      /** The age of this instance's complete view of revocations. `null` when the guard reads no revocation log. */
      readonly revocationAgeMs: number | null;
    }
  | {
      readonly status: "invalid";
      readonly reason: InvalidReason;
      /** The bound that the login exceeds, with the reason `insufficient_user_authentication` only. */
      readonly maxAuthAgeMs?: number;
      /**
       * The claim that was refused, what the guard expected, and what it got. Absent for reasons that concern no claim.
       * The property is not enumerable, so a verdict that is logged or sent as JSON does not show it.
       */
      readonly detail?: RefusalDetail;
    }
  | { readonly status: "unavailable"; readonly cause: UnavailableCause; readonly retryAfterMs: number };

/** The result of `authorize`: a verdict, or `forbidden` when a valid token lacks scopes that the rules require. */
export type Decision<C = JwtClaims> =
  | Verdict<C>
  | { readonly status: "forbidden"; readonly missing: readonly string[] };

/** The verdict on a valid token. */
export type ValidVerdict<C = JwtClaims> = Extract<Verdict<C>, { status: "valid" }>;
export type InvalidVerdict = Extract<Verdict, { status: "invalid" }>;
export type UnavailableVerdict = Extract<Verdict, { status: "unavailable" }>;

/** The retry time of an outage whose length is unknown. */
const RETRY_AFTER_MS = 1_000;

export function invalidVerdict(reason: InvalidReason, detail?: RefusalDetail): InvalidVerdict {
  const verdict: InvalidVerdict = { status: "invalid", reason };
  return detail === undefined ? verdict : Object.defineProperty(verdict, "detail", { value: detail });
}

export function unavailableVerdict(
  cause: UnavailableCause,
  retryAfterMs: number = RETRY_AFTER_MS,
): UnavailableVerdict {
  return { status: "unavailable", cause, retryAfterMs };
}
