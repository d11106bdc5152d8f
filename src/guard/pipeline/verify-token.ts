import { readClock } from "../../core/clock.ts";
import { refusalDetail } from "../../core/refusal-detail.ts";
import { REFRESH_TOKEN_PREFIX } from "../../core/refresh-token-prefix.ts";
import {
  invalidVerdict,
  unavailableVerdict,
  type InvalidReason,
  type InvalidVerdict,
  type UnavailableVerdict,
} from "../../core/verdict.ts";
import { checkClaims, refuseClaims } from "../../jwt/claims.ts";
import type { VerificationKey } from "../../jwt/jwk-set.ts";
import { parseToken, type ParsedToken } from "../../jwt/parse.ts";
import type { VerificationOutcome } from "../../jwt/verification-pool.ts";
import { describeError, emit } from "../emit.ts";
import type { GuardedIssuer } from "../issuers/guarded-issuer.ts";
import type { PipelineContext } from "./context.ts";
import { decide } from "./decide.ts";
import type { KeySelection } from "./key-trials.ts";
import { currentKeys } from "./result-cache.ts";
import { unverifiedToken, verifiedToken } from "./valid-token.ts";
import type { ValidationResult, ValidToken } from "./validation-result.ts";

/** A parsed token whose signature is not verified yet. */
interface Candidate {
  readonly issuer: GuardedIssuer;
  readonly token: string;
  readonly tokenName: string;
  readonly parsed: ParsedToken;
}

/**
 * Steps 4 and 5: joins the verification of the same token, or verifies it. The result for an opaque token is the issuer
 * whose authority can be asked about it.
 *
 * Malformed tokens are not remembered: to parse one again is cheaper than a cache entry.
 */
export function verifyToken(
  context: PipelineContext,
  token: string,
  tokenName: string,
): ValidationResult | GuardedIssuer | Promise<ValidationResult> {
  const joined = context.verifications.inFlight(tokenName);
  if (joined !== undefined) return joined;
  const parsed = parseToken(token, context.headerMemo);
  if ("reason" in parsed) {
    // A refresh token of Holdfast that was presented by mistake must not reach the authority of another provider.
    if (token.startsWith(REFRESH_TOKEN_PREFIX)) return invalidVerdict("wrong_type");
    const { forOpaqueTokens } = context.guardedIssuers;
    const isOpaque = forOpaqueTokens?.opaquePattern?.test(token) === true;
    return isOpaque ? forOpaqueTokens : invalidVerdict(parsed.reason);
  }
  const found = context.guardedIssuers.find(parsed.claims.iss);
  const run = async (work: () => Promise<ValidationResult>) =>
    await context.verifications.run(tokenName, work);
  if (found instanceof Promise) {
    return run(async () => {
      const issuer = await found;
      if ("status" in issuer) return issuer;
      const outcome = verifyCandidate(context, { issuer, token, tokenName, parsed });
      return typeof outcome === "function" ? await outcome() : outcome;
    });
  }
  if ("status" in found) return found;
  const outcome = verifyCandidate(context, { issuer: found, token, tokenName, parsed });
  return typeof outcome === "function" ? run(outcome) : outcome;
}

/** Verifies at once where that is possible. The result is the rest of the work otherwise. */
function verifyCandidate(
  context: PipelineContext,
  candidate: Candidate,
): ValidationResult | (() => Promise<ValidationResult>) {
  const { issuer, tokenName, parsed } = candidate;
  const { keyring, tokenPolicy } = issuer;
  if (!keyring.algorithms.includes(parsed.algorithm)) {
    const detail = refusalDetail(tokenPolicy.issuer, "alg", keyring.algorithms, parsed.algorithm);
    return invalidVerdict("wrong_algorithm", detail);
  }
  const all = keyring.find(parsed.kid, parsed.algorithm);
  const selection = context.keyTrials.select(tokenName, parsed.kid, all);
  const [key] = selection.keys;
  const first = key && context.verificationPool.verify(parsed, key, tokenPolicy);
  // Without this line every cold token needs a promise and a flight: an HS256 token takes 32 µs instead of 20.
  if (key !== undefined && first === null) return remember(context, candidate, key);
  return async () =>
    (await verifyWithKeys(context, candidate, selection, first)) ??
    (await fetchKeyAndVerify(context, candidate, all));
}

/**
 * Tries the keys in turn and remembers the result. Any of the keys may have signed a token without `kid` (RFC 7515 §6).
 * The result is `undefined` when a key that this instance does not have yet may have signed it.
 *
 * @param first The outcome for the first key, when it is known or under way.
 */
async function verifyWithKeys(
  context: PipelineContext,
  candidate: Candidate,
  { keys, hasMore }: KeySelection,
  first?: VerificationOutcome | Promise<VerificationOutcome>,
): Promise<ValidationResult | undefined> {
  const { resultCache, verificationPool, keyTrials } = context;
  const { issuer, tokenName, parsed } = candidate;
  // Read before the first await: a result must not count for a key set that arrives while the signature is checked.
  const keysMark = currentKeys(issuer);
  let started = first;
  let reason: InvalidReason | undefined;
  for (const key of keys) {
    const outcome = await (started ?? verificationPool.verify(parsed, key, issuer.tokenPolicy));
    started = undefined;
    if (outcome === null) return remember(context, candidate, key);
    if (outcome === "overloaded") return unavailableVerdict(outcome);
    // A reason from a key whose signature fits says more than a signature that does not fit.
    if (reason === undefined || outcome !== "bad_signature") reason = outcome;
  }
  if (reason === "bad_signature" && hasMore) {
    keyTrials.recordFailure(tokenName, keys);
    return unavailableVerdict("key_pending");
  }
  const mayBeOtherKey = issuer.keyring.mayHaveOthers(parsed.kid, parsed.algorithm);
  if (reason === undefined || (reason === "bad_signature" && mayBeOtherKey)) return undefined;
  if (reason === "bad_signature") issuer.keyring.refreshAfterBadSignature();
  const refusal = explain(candidate, reason);
  resultCache.setInvalid(tokenName, refusal, keysMark);
  return refusal;
}

/** The refusal with the claim that is at fault. The claims of a token whose signature does not fit explain nothing. */
function explain({ parsed, issuer }: Candidate, reason: InvalidReason): InvalidVerdict {
  const refusal = reason === "bad_signature" ? null : refuseClaims(parsed, issuer.tokenPolicy);
  return refusal?.reason === reason ? refusal : invalidVerdict(reason);
}

function remember(
  { resultCache, keyTrials }: PipelineContext,
  { parsed, issuer, token, tokenName }: Candidate,
  key: VerificationKey,
): ValidToken {
  if (parsed.kid === undefined) keyTrials.recordSuccess(key);
  issuer.onVerified?.();
  const result = verifiedToken(parsed, key, issuer);
  resultCache.setValid(tokenName, result, token.length);
  return result;
}

/** `tried` are keys that did not sign the token. */
async function fetchKeyAndVerify(
  context: PipelineContext,
  candidate: Candidate,
  tried: readonly VerificationKey[],
): Promise<ValidationResult> {
  const { keyring, source } = candidate.issuer;
  try {
    const lookup = await keyring.resolve(candidate.parsed, tried);
    if (lookup.status === "unavailable") return resultWithoutKey(context, candidate, lookup);
    if (lookup.status === "invalid") return lookup;
    const { tokenName, parsed } = candidate;
    const selection = context.keyTrials.select(tokenName, parsed.kid, lookup.keys);
    return (await verifyWithKeys(context, candidate, selection)) ?? unavailableVerdict("key_pending");
  } catch (error) {
    emit(source, "keys_failed", describeError(error));
    return unavailableVerdict("keys_unavailable");
  }
}

/**
 * The result while the key cannot be fetched. An expired token is invalid, whoever signed it. When the key may be a new
 * one, the authority is asked about a token whose claims fit the policy. In all other cases the answer is `lookup`, so
 * that a caller who cannot sign does not learn which claims the guard accepts.
 */
function resultWithoutKey(
  context: PipelineContext,
  { issuer, parsed }: Candidate,
  lookup: UnavailableVerdict,
): ValidationResult {
  const token = unverifiedToken(parsed, issuer);
  const decision = decide(context, token, "verification", readClock(context.clock), undefined);
  if (decision.status === "invalid" && decision.reason === "expired") return decision;
  const { jwtAuthority, keyring, claimsPolicy } = issuer;
  const mayAsk = jwtAuthority !== undefined && keyring.mayHaveUnfetched(parsed.kid);
  return mayAsk && checkClaims(parsed, claimsPolicy) === null ? token : lookup;
}
