import type { Instant } from "../../core/clock.ts";
import type { InvalidVerdict, JwtClaims, UnavailableVerdict } from "../../core/verdict.ts";
import type { VerificationKey } from "../../jwt/jwk-set.ts";
import type { Authority } from "../authority/authority.ts";
import type { GuardedIssuer } from "../issuers/guarded-issuer.ts";

/**
 * A token that passed verification or that its authority vouches for. Only facts are stored here. Time, revocation,
 * degradation and a route's rules are decided on every call.
 */
export interface ValidToken {
  readonly status: "valid";
  readonly guardedIssuer: GuardedIssuer;
  /** The token's own claims, and those that only the authority named. Deeply frozen. */
  readonly claims: Readonly<JwtClaims>;
  /** What the token itself says. Another answer of the authority is added to these claims and not to an earlier answer. */
  readonly ownClaims: Readonly<JwtClaims>;
  /** Whether the token itself lacks a claim that the policy requires. Only its authority's answer makes it valid then. */
  readonly lacksClaims: boolean;
  readonly subject: string;
  readonly scopes: readonly string[];
  readonly sessionId: string | undefined;
  /**
   * Digest of the signing input. The revocation view stores a denial by the authority under it, because one signature
   * has several spellings and some providers repeat a `jti`. `undefined` without an authority or a signature.
   */
  readonly signedDigest: string | undefined;
  /** Epoch milliseconds. `Infinity` without `exp`. The authority may have ended the token before its own `exp`. */
  readonly expiresAt: number;
  /** The expiry that the token itself states. A shorter `expiresAt` from the authority is remembered until then. */
  readonly tokenExpiresAt: number;
  /**
   * The key that verified the signature. `null` when only the authority vouches for the token: the token is opaque, or
   * its key could not be fetched.
   */
  readonly key: VerificationKey | null;
  /** The `kid` of the signing key, or the one that an unverified token names. */
  readonly kid: string | undefined;
  /**
   * The epoch of the key set when the authority was asked in place of a missing key. `null` when a key verified the
   * token, and for opaque tokens.
   */
  readonly keyEpoch: number | null;
  /** Whether every required check has answered. False while the answer of the issuer's authority is missing. */
  readonly isComplete: boolean;
  /** The `changeCount` of the revocation view when the token was last looked up there. -1 before the first look-up. */
  revocationsVersion: number;
  /** When the token was first accepted without its authority. `null` when it never was. */
  degradedSince: Instant | null;
}

/** The answer of steps 1 to 7, without the decision. */
export type ValidationResult = ValidToken | InvalidVerdict | UnavailableVerdict;

/**
 * The guard's knowledge before it asks the authority: a verified or earlier confirmed token, or for an opaque token only
 * the issuer that may know it.
 */
export type LocalResult = ValidToken | GuardedIssuer;

export function isToken(local: LocalResult): local is ValidToken {
  return "claims" in local;
}

/** The issuer of a token, or the issuer that is asked about an opaque one. */
export function issuerOf(local: LocalResult): GuardedIssuer {
  return isToken(local) ? local.guardedIssuer : local;
}

/** The authority that is asked about the token. Some authorities are asked about opaque tokens only. */
export function authorityOf({ key, keyEpoch, guardedIssuer }: ValidToken): Authority | undefined {
  const isOpaque = key === null && keyEpoch === null;
  return isOpaque ? guardedIssuer.authority : guardedIssuer.jwtAuthority;
}

/** Whether the token's own claims are known to be true: a key verified them, or the authority confirmed them before. */
export function isAuthentic(local: LocalResult): local is ValidToken & { readonly signedDigest: string } {
  return isToken(local) && local.signedDigest !== undefined && (local.key !== null || local.isComplete);
}

/** Whether the key that verified the token still counts. An unverified token counts until the key epoch changes. */
export function isKeyInForce({ key, keyEpoch, guardedIssuer }: ValidToken, now: Instant): boolean {
  const { keyring, isRetired } = guardedIssuer;
  if (isRetired) return false;
  return key === null ? keyEpoch === null || keyEpoch === keyring.epoch : keyring.isInForce(key, now);
}
