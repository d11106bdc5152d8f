import { invalidOption, option, readOptions, readString, type OptionTable } from "../core/options.ts";
import type { InvalidReason, JwtClaims } from "../core/verdict.ts";
import { normalizeTyp, type ParsedToken } from "./parse.ts";
import { tokenKind, type TokenKind } from "./token-kind.ts";

/**
 * `iat` may lie this far ahead even when the tolerance is smaller. RFC 7519 §4.1.6 gives `iat` to tell a token's age, and
 * a guard whose clock is a little behind must not refuse the newest tokens.
 */
const IAT_TOLERANCE_MS = 60_000;

export interface ClaimsPolicyOptions {
  /** The exact `iss` of accepted tokens. */
  issuer: string;
  /** The token's `aud` must contain one of these. `null` skips the check. */
  audience: string | readonly string[] | null;
  /**
   * Accepted values of `typ`, compared without case and without `application/`. Default `["at+jwt", "jwt"]`. The value
   * `"id"` accepts ID tokens, whose `typ` is `JWT` or absent. The list `["id"]` accepts only those.
   */
  types?: readonly string[] | undefined;
  /** Whether to reject tokens without `typ`. Default false. */
  requireTyp?: boolean | undefined;
  /** The claims that a token must have in addition to `iss`, `aud` and `exp`. Default `["sub"]`. */
  requiredClaims?: readonly string[] | undefined;
  /** Whether to accept tokens without `exp`, which never expire. Default false. */
  allowMissingExp?: boolean | undefined;
}

/** The rules for a token's claims that do not depend on time. {@link createClaimsPolicy} makes it. */
export interface ClaimsPolicy {
  readonly issuer: string;
  readonly audience: readonly string[] | null;
  /** Normalized by {@link normalizeTyp}. */
  readonly types: readonly string[];
  /** The kinds of tokens that are accepted, beside those that do not state their kind. */
  readonly kinds: readonly TokenKind[];
  readonly requireTyp: boolean;
  /** Contains `exp` unless the options waive it. */
  readonly requiredClaims: readonly string[];
  /** Whether an absent `aud` or an absent required claim other than `exp` is left to the authority's answer. */
  readonly defersAbsent: boolean;
}

/** The policy for the token's own claims where an authority answers afterwards and may add claims. */
export function deferAbsentClaims(policy: ClaimsPolicy): ClaimsPolicy {
  return { ...policy, defersAbsent: true };
}

function readStrings(name: string, value: unknown): readonly string[] {
  if (!Array.isArray(value)) throw invalidOption(name, "an array of strings", value);
  return value.map((item, index) => readString(`${name}[${index}]`, item));
}

function readAudience(name: string, value: unknown): readonly string[] | null {
  if (value === null) return null;
  const audiences = typeof value === "string" ? [readString(name, value)] : readStrings(name, value);
  if (audiences.length === 0) throw invalidOption(name, "null or at least one audience", value);
  return audiences;
}

/** An issuer is compared exactly, so a placeholder such as `{tenantid}` would refuse every token. */
function readIssuerName(name: string, value: unknown): string {
  const issuer = readString(name, value);
  if (/[{}*]/.test(issuer)) {
    throw invalidOption(
      name,
      "the exact `iss` of the tokens, without a placeholder in braces or a wildcard",
      value,
    );
  }
  return issuer;
}

function readFlag(name: string, value: unknown): boolean {
  if (typeof value !== "boolean") throw invalidOption(name, "true or false", value);
  return value;
}

/** The values of {@link ClaimsPolicyOptions}, checked and complete. */
export interface ClaimsPolicySettings {
  readonly issuer: string;
  readonly audience: readonly string[] | null;
  readonly types: readonly string[];
  readonly requireTyp: boolean;
  readonly requiredClaims: readonly string[];
  readonly allowMissingExp: boolean;
}

export const claimsPolicyOptionTable: OptionTable<ClaimsPolicySettings> = {
  issuer: option(readIssuerName),
  audience: option(readAudience),
  types: option(readStrings, ["at+jwt", "jwt"]),
  requireTyp: option(readFlag, false),
  requiredClaims: option(readStrings, ["sub"]),
  allowMissingExp: option(readFlag, false),
};

/** Checks and copies the options, and applies the defaults. Throws `invalid_option`. */
export function createClaimsPolicy(options: ClaimsPolicyOptions): ClaimsPolicy {
  return toClaimsPolicy(readOptions("createClaimsPolicy", options, claimsPolicyOptionTable));
}

export function toClaimsPolicy(settings: ClaimsPolicySettings): ClaimsPolicy {
  const { types, requiredClaims, allowMissingExp, ...policy } = settings;
  const accepted = types.map(normalizeTyp);
  const idTokens = accepted.includes("id");
  const accessTokens = accepted.some((type) => type !== "id");
  return {
    ...policy,
    types: idTokens ? [...accepted, "jwt"] : accepted,
    kinds: [...(accessTokens ? (["access"] as const) : []), ...(idTokens ? (["id"] as const) : [])],
    requiredClaims: allowMissingExp ? requiredClaims : ["exp", ...requiredClaims],
    defersAbsent: false,
  };
}

/** Why the claims or `typ` make the token invalid; `null` when they do not. {@link checkTime} checks time on every use. */
export function checkClaims(
  parsed: Pick<ParsedToken, "typ" | "claims">,
  policy: ClaimsPolicy,
): InvalidReason | null {
  const { typ, claims } = parsed;
  if (typ === undefined ? policy.requireTyp : !policy.types.includes(typ)) return "wrong_type";
  if (!isAcceptedKind(claims, policy)) return "wrong_type";
  if (claims.iss !== policy.issuer) return claims.iss === undefined ? "missing_claim" : "wrong_issuer";
  if (policy.audience !== null) {
    const { aud } = claims;
    if (aud === undefined && !policy.defersAbsent) return "missing_claim";
    if (aud !== undefined && !isForAudience(claims, policy.audience)) return "wrong_audience";
  }
  if (lacksRequiredClaim(claims, policy)) return "missing_claim";
  return (claims["cnf"] ?? null) === null ? null : "sender_constrained";
}

function lacksRequiredClaim(claims: Readonly<JwtClaims>, policy: ClaimsPolicy): boolean {
  return policy.requiredClaims.some((name) => {
    const value = Object.hasOwn(claims, name) ? claims[name] : undefined;
    const isAbsent = value === undefined || value === null || value === "";
    return isAbsent && !(policy.defersAbsent && name !== "exp");
  });
}

/** Whether the policy accepts tokens that say this about their own use. An authority's answer says it in the same claims. */
export function isAcceptedKind(claims: Readonly<JwtClaims>, { kinds }: ClaimsPolicy): boolean {
  const kind = tokenKind(claims);
  return kind === "unstated" || kinds.includes(kind);
}

/** Whether `aud` names one of the accepted audiences. A token without `aud` is for none. */
export function isForAudience(
  { aud = [] }: Readonly<JwtClaims>,
  accepted: string | readonly string[],
): boolean {
  const isAccepted = (one: string) =>
    typeof accepted === "string" ? one === accepted : accepted.includes(one);
  return typeof aud === "string" ? isAccepted(aud) : aud.some(isAccepted);
}

/**
 * Why the token is invalid at `nowMs`; `null` when it is valid. The result must not be cached. A token is expired from
 * `exp` plus the tolerance on (RFC 7519 §4.1.4).
 */
export function checkTime(
  claims: Readonly<JwtClaims>,
  nowMs: number,
  toleranceMs: number,
): "expired" | "not_yet_valid" | null {
  const { exp, nbf } = claims;
  if (exp !== undefined && nowMs >= exp * 1000 + toleranceMs) return "expired";
  if (nbf !== undefined && nowMs < nbf * 1000 - toleranceMs) return "not_yet_valid";
  return null;
}

/**
 * How long the token's `iat` lies too far ahead of `nowMs`, in milliseconds; 0 when it does not. One of the two clocks is
 * wrong then, and nothing is proved about the token. The result must not be cached.
 */
export function issuedAheadMs({ iat }: Readonly<JwtClaims>, nowMs: number, toleranceMs: number): number {
  if (iat === undefined) return 0;
  return Math.max(0, iat * 1000 - Math.max(toleranceMs, IAT_TOLERANCE_MS) - nowMs);
}
