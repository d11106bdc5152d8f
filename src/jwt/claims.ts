import { claimAt } from "../core/claim-path.ts";
import { findWrongClaim, readClaimRules, type ClaimRules } from "../core/claim-rules.ts";
import { HoldfastError } from "../core/errors.ts";
import { flagOption, invalidValue } from "../core/option-values.ts";
import { option, readOptions, readString, type OptionTable } from "../core/options.ts";
import { refusalDetail } from "../core/refusal-detail.ts";
import { invalidVerdict, type InvalidReason, type InvalidVerdict, type JwtClaims } from "../core/verdict.ts";
import {
  audienceOf,
  claimSourcesOptionTable,
  findMalformedSource,
  isForAudience,
  type ClaimSources,
  type ClaimSourcesOptions,
} from "./claim-sources.ts";
import { normalizeTyp, type ParsedToken } from "./parse.ts";
import { accessClaim, kindClaim, tokenKind, type TokenKind } from "./token-kind.ts";

/**
 * `iat` may lie this far ahead even when the tolerance is smaller. RFC 7519 §4.1.6 gives `iat` to tell a token's age, and
 * a guard whose clock is a little behind must not refuse the newest tokens.
 */
const IAT_TOLERANCE_MS = 60_000;

/** A claim that a token must have, or several of which it must have one. */
export type RequiredClaim = string | readonly string[];

export interface ClaimsPolicyOptions extends ClaimSourcesOptions {
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
  /**
   * The claims that a token must have in addition to `iss`, `aud` and `exp`. A list in the list stands for one of its
   * claims. Default `["sub"]`.
   */
  requiredClaims?: readonly RequiredClaim[] | undefined;
  /** Whether to accept tokens without `exp`, which never expire. Default false. */
  allowMissingExp?: boolean | undefined;
  /** Whether to accept tokens without `iss`. Default false. */
  allowMissingIss?: boolean | undefined;
  /** The values that claims must have. Default: none. */
  claims?: ClaimRules | undefined;
}

/** The rules for a token's claims that do not depend on time. {@link createClaimsPolicy} makes it. */
export interface ClaimsPolicy extends ClaimSources {
  readonly issuer: string;
  readonly audience: readonly string[] | null;
  /** Normalized by {@link normalizeTyp}. */
  readonly types: readonly string[];
  /** The kinds of tokens that are accepted, beside those that do not state their kind. */
  readonly kinds: readonly TokenKind[];
  readonly requireTyp: boolean;
  /** Contains `exp` unless the options waive it. */
  readonly requiredClaims: readonly RequiredClaim[];
  readonly allowMissingIss: boolean;
  readonly claims: ClaimRules;
  /** Whether an absent `aud` or an absent required claim other than `exp` is left to the authority's answer. */
  readonly defersAbsent: boolean;
}

/** The policy for the token's own claims where an authority answers afterwards and may add claims. */
export function deferAbsentClaims(policy: ClaimsPolicy): ClaimsPolicy {
  return { ...policy, defersAbsent: true };
}

function readStrings(name: string, value: unknown): readonly string[] {
  if (!Array.isArray(value)) throw invalidValue(name, "an array of strings", value);
  return value.map((item, index) => readString(`${name}[${index}]`, item));
}

function readRequiredClaims(name: string, value: unknown): readonly RequiredClaim[] {
  if (!Array.isArray(value)) throw invalidValue(name, "an array of the names of claims", value);
  return value.map((item: unknown, index) => {
    const itemName = `${name}[${index}]`;
    if (!Array.isArray(item)) return readString(itemName, item);
    if (item.length === 0)
      throw invalidValue(itemName, "the name of a claim or a list of at least one", item);
    return readStrings(itemName, item);
  });
}

function readAudience(name: string, value: unknown): readonly string[] | null {
  if (value === null) return null;
  if (typeof value !== "string" && !Array.isArray(value)) {
    throw invalidValue(
      name,
      "one audience, a list of them, or null; audienceFrom names another claim",
      value,
    );
  }
  const audiences = typeof value === "string" ? [readString(name, value)] : readStrings(name, value);
  if (audiences.length === 0) throw invalidValue(name, "null or at least one audience", value);
  return audiences;
}

/** An issuer is compared exactly, so a placeholder such as `{tenantid}` would refuse every token. */
function readIssuerName(name: string, value: unknown): string {
  const issuer = readString(name, value);
  if (/[{}*]/.test(issuer)) {
    throw invalidValue(
      name,
      "the exact `iss` of the tokens, without a placeholder in braces or a wildcard",
      value,
    );
  }
  return issuer;
}

/** The values of {@link ClaimsPolicyOptions}, checked and complete. */
export interface ClaimsPolicySettings extends ClaimSources {
  readonly issuer: string;
  readonly audience: readonly string[] | null;
  readonly types: readonly string[];
  readonly requireTyp: boolean;
  readonly requiredClaims: readonly RequiredClaim[];
  readonly allowMissingExp: boolean;
  readonly allowMissingIss: boolean;
  readonly claims: ClaimRules;
}

const defaultRequiredClaims: readonly RequiredClaim[] = ["sub"];
const noClaimRules: ClaimRules = {};

export const claimsPolicyOptionTable: OptionTable<ClaimsPolicySettings> = {
  issuer: option(readIssuerName),
  audience: option(readAudience),
  types: option(readStrings, ["at+jwt", "jwt"]),
  requireTyp: flagOption(false),
  requiredClaims: option(readRequiredClaims, defaultRequiredClaims),
  allowMissingExp: flagOption(false),
  allowMissingIss: flagOption(false),
  claims: option(readClaimRules, noClaimRules),
  ...claimSourcesOptionTable,
};

/** Checks and copies the options, and applies the defaults. Throws `invalid_option`. */
export function createClaimsPolicy(options: ClaimsPolicyOptions): ClaimsPolicy {
  return toClaimsPolicy(readOptions("createClaimsPolicy", options, claimsPolicyOptionTable));
}

export function toClaimsPolicy(settings: ClaimsPolicySettings): ClaimsPolicy {
  const { types, allowMissingExp, ...policy } = settings;
  const { audience, audienceFrom, subjectFrom } = policy;
  if (audience === null && audienceFrom !== "aud") {
    throw new HoldfastError("invalid_option", "audienceFrom needs an audience, and audience is null");
  }
  const required = withSubject(policy.requiredClaims, subjectFrom);
  const accepted = types.map(normalizeTyp);
  const idTokens = accepted.includes("id");
  const accessTokens = accepted.some((type) => type !== "id");
  return {
    ...policy,
    types: idTokens ? [...accepted, "jwt"] : accepted,
    kinds: [...(accessTokens ? (["access"] as const) : []), ...(idTokens ? (["id"] as const) : [])],
    requiredClaims: allowMissingExp ? required : ["exp", ...required],
    defersAbsent: false,
  };
}

/**
 * A token must have a subject by default, and where `sub` is required, in the claim that `subjectFrom` names. In a list of
 * alternatives, that claim replaces `sub`.
 */
function withSubject(required: readonly RequiredClaim[], subjectFrom: string): readonly RequiredClaim[] {
  if (required === defaultRequiredClaims) return [subjectFrom];
  if (subjectFrom === "sub") return required;
  const named = required.map((names) =>
    typeof names === "string" ? names : names.map((name) => (name === "sub" ? subjectFrom : name)),
  );
  return required.includes("sub") ? [...named, subjectFrom] : named;
}

/** Why the claims or `typ` make the token invalid; `null` when they do not. {@link checkTime} checks time on every use. */
export function checkClaims(
  parsed: Pick<ParsedToken, "typ" | "claims">,
  policy: ClaimsPolicy,
): InvalidReason | null {
  return refuseClaims(parsed, policy)?.reason ?? null;
}

/** The same, with the claim that is at fault, what the policy accepts, and what the token has. */
export function refuseClaims(
  { typ, claims }: Pick<ParsedToken, "typ" | "claims">,
  policy: ClaimsPolicy,
): InvalidVerdict | null {
  if (typ === undefined ? policy.requireTyp : !policy.types.includes(typ)) {
    return refuse(policy, "wrong_type", "typ", policy.types, typ);
  }
  return (
    refuseKind(claims, policy) ??
    refuseAccessToken(claims, policy) ??
    refuseIssuer(claims, policy) ??
    refuseAudience(claims, policy) ??
    refuseRequiredClaims(claims, policy) ??
    refuseClaimRules(claims, policy.claims, policy) ??
    ((claims["cnf"] ?? null) === null ? null : invalidVerdict("sender_constrained"))
  );
}

function refuse(
  { issuer }: Pick<ClaimsPolicy, "issuer">,
  reason: InvalidReason,
  ...detail: [claim: string, expected: readonly unknown[], got: unknown]
): InvalidVerdict {
  return invalidVerdict(reason, refusalDetail(issuer, ...detail));
}

function refuseIssuer({ iss }: Readonly<JwtClaims>, policy: ClaimsPolicy): InvalidVerdict | null {
  const { issuer, allowMissingIss } = policy;
  if (iss === issuer || (iss === undefined && allowMissingIss)) return null;
  return refuse(policy, iss === undefined ? "missing_claim" : "wrong_issuer", "iss", [issuer], iss);
}

function refuseAudience(claims: Readonly<JwtClaims>, policy: ClaimsPolicy): InvalidVerdict | null {
  const { audience, audienceFrom, defersAbsent } = policy;
  if (audience === null) return null;
  const named = audienceOf(claims, audienceFrom);
  if (named === undefined && defersAbsent) return null;
  if (isForAudience(claims, audience, audienceFrom)) return null;
  const reason = named === undefined ? "missing_claim" : "wrong_audience";
  return refuse(policy, reason, audienceFrom, audience, named);
}

/** Whether the token has the claim, or the authority may add it. */
function hasClaim(claims: Readonly<JwtClaims>, name: string, defersAbsent: boolean): boolean {
  return (claimAt(claims, name) ?? "") !== "" || (defersAbsent && name !== "exp");
}

function refuseRequiredClaims(claims: Readonly<JwtClaims>, policy: ClaimsPolicy): InvalidVerdict | null {
  for (const required of policy.requiredClaims) {
    const names = typeof required === "string" ? [required] : required;
    const isFulfilled = names.some((name) => hasClaim(claims, name, policy.defersAbsent));
    if (!isFulfilled) return refuse(policy, "missing_claim", names.join(" or "), [], null);
  }
  const malformed = findMalformedSource(claims, policy);
  if (malformed === null) return null;
  return refuse(policy, "invalid_claim", malformed, ["a string"], claimAt(claims, malformed));
}

/** Why rules for claims refuse the token; `null` when they do not. A route may have rules of its own. */
export function refuseClaimRules(
  claims: Readonly<JwtClaims>,
  rules: ClaimRules,
  policy: Pick<ClaimsPolicy, "issuer"> & Partial<Pick<ClaimsPolicy, "defersAbsent">>,
): InvalidVerdict | null {
  const wrong = findWrongClaim(claims, rules, policy.defersAbsent ?? false);
  return wrong && refuse(policy, "wrong_claim", wrong.claim, wrong.accepted, wrong.value);
}

/** Why a token that says this about its own use is refused. An authority's answer says it in the same claims. */
export function refuseKind(claims: Readonly<JwtClaims>, policy: ClaimsPolicy): InvalidVerdict | null {
  const kind = tokenKind(claims);
  if (kind === "unstated" || policy.kinds.includes(kind)) return null;
  const claim = kindClaim(claims, kind);
  return refuse(policy, "wrong_type", claim, policy.kinds, claims[claim] ?? kind);
}

/**
 * Why a policy for ID tokens alone refuses a token that states no kind. This is for the token's own claims, because an
 * introspection answer about an ID token may have `scope` and `client_id` of its own.
 */
function refuseAccessToken(claims: Readonly<JwtClaims>, policy: ClaimsPolicy): InvalidVerdict | null {
  const claim = policy.kinds.includes("access") ? undefined : accessClaim(claims);
  if (claim === undefined) return null;
  return refuse(policy, "wrong_type", claim, policy.kinds, claims[claim]);
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
