import { readClock } from "../../core/clock.ts";
import {
  invalidVerdict,
  unavailableVerdict,
  type InvalidReason,
  type UnavailableVerdict,
} from "../../core/verdict.ts";
import { checkClaims } from "../../jwt/claims.ts";
import type { VerificationKey } from "../../jwt/jwk-set.ts";
import { parseToken, type ParsedToken } from "../../jwt/parse.ts";
import type { VerificationOutcome } from "../../jwt/verification-pool.ts";
import { decide } from "./decide.ts";
import { unverifiedToken, verifiedToken } from "./validation-result.ts";
import type { ValidationResult } from "./validation-result.ts";
import type { PipelineContext } from "./context.ts";
import type { GuardedIssuer } from "../issuers/guarded-issuer.ts";
import { describeError, emit } from "../emit.ts";

/**
 * Joins the flight for this token; proves at once where the key is here; else starts a flight for the key. An opaque
 * token proves nothing: its issuer is all that is known.
 */
export function verifyToken(
  context: PipelineContext,
  token: string,
  digest: string,
): ValidationResult | GuardedIssuer | Promise<ValidationResult> {
  const flying = context.verifications.inFlight(digest);
  if (flying !== undefined) return flying;
  const parsed = parseToken(token, context.headerMemo);
  // Cheaper to find again than to keep: garbage takes no memory.
  if ("reason" in parsed) {
    const { forOpaqueTokens } = context.guardedIssuers;
    return forOpaqueTokens?.opaquePattern?.test(token) === true
      ? forOpaqueTokens
      : invalidVerdict(parsed.reason);
  }
  const issuer = context.guardedIssuers.findByIss(parsed.claims.iss);
  if (issuer === undefined)
    return invalidVerdict(parsed.claims.iss === undefined ? "missing_claim" : "wrong_issuer");
  const { keyring } = issuer;
  if (!keyring.algorithms.includes(parsed.algorithm)) return invalidVerdict("wrong_algorithm");
  const candidate = { issuer, token, digest, parsed };
  const tried = keyring.find(parsed.kid, parsed.algorithm);
  const proof = verifyWithKeys(context, candidate, tried);
  if (proof !== undefined && !(proof instanceof Promise)) return proof;
  return context.verifications.run(
    digest,
    async () => (await proof) ?? (await fetchKeyAndVerify(context, candidate, tried)),
  );
}

/** A token on its way to a result. */
interface ParsedCandidate {
  readonly issuer: GuardedIssuer;
  readonly token: string;
  readonly digest: string;
  readonly parsed: ParsedToken;
}

/** `tried` are keys that did not sign it. */
async function fetchKeyAndVerify(
  context: PipelineContext,
  candidate: ParsedCandidate,
  tried: readonly VerificationKey[],
): Promise<ValidationResult> {
  const { keyring, source } = candidate.issuer;
  try {
    const lookup = await keyring.resolve(candidate.parsed, tried);
    if (lookup.status === "unavailable") return resultWithoutKey(context, candidate, lookup);
    if (lookup.status === "invalid") return lookup;
    return (await verifyWithKeys(context, candidate, lookup.keys)) ?? unavailableVerdict("key_pending");
  } catch (error) {
    emit(source, "keys_failed", describeError(error));
    return unavailableVerdict("keys_unavailable");
  }
}

/**
 * What says of itself that it has expired is no good, whoever signed it. Of other claims who cannot sign learns
 * nothing. While no keys can be fetched, the authority is asked in place of one that is new.
 */
function resultWithoutKey(
  context: PipelineContext,
  { issuer, parsed }: ParsedCandidate,
  lookup: UnavailableVerdict,
): ValidationResult {
  const result = unverifiedToken(parsed, issuer);
  const byItself = decide(context, result, "verification", readClock(context.clock), undefined);
  if (byItself.status === "invalid" && byItself.reason === "expired") return invalidVerdict("expired");
  const { authority, keyring, claimsPolicy } = issuer;
  const mayAsk =
    authority !== undefined &&
    keyring.mayHaveUnfetched(parsed.kid) &&
    checkClaims(parsed, claimsPolicy) === null;
  return mayAsk ? result : lookup;
}

type MaybeResult = ValidationResult | undefined;

/**
 * Proves with one of the keys, and remembers what that found. Without a `kid` any of them may have signed (RFC 7515
 * §6), and so may one that is not here yet: `undefined`.
 */
function verifyWithKeys(
  context: PipelineContext,
  candidate: ParsedCandidate,
  candidates: readonly VerificationKey[],
  reason?: InvalidReason,
): MaybeResult | Promise<MaybeResult> {
  const { resultCache, guardedIssuers, verificationPool } = context;
  const { issuer, token, digest, parsed } = candidate;
  const [key, ...others] = candidates;
  if (key === undefined) {
    const mayBeAnother = parsed.kid === undefined && issuer.keyring.mayGrow;
    if (reason === undefined || (reason === "bad_signature" && mayBeAnother)) return undefined;
    resultCache.setInvalid(digest, reason, guardedIssuers.keysVersion);
    return invalidVerdict(reason);
  }
  const judge = (proof: VerificationOutcome): MaybeResult | Promise<MaybeResult> => {
    if (proof === "overloaded") return unavailableVerdict(proof);
    // A signature that fits says more than one that does not.
    if (proof !== null)
      return verifyWithKeys(
        context,
        candidate,
        others,
        proof === "bad_signature" ? (reason ?? proof) : proof,
      );
    const result = verifiedToken(parsed, key, issuer);
    resultCache.setValid(digest, result, token.length);
    return result;
  };
  const proof = verificationPool.verify(parsed, key, issuer.claimsPolicy);
  return proof instanceof Promise ? toResultLater(proof, judge) : judge(proof);
}

async function toResultLater(
  proof: Promise<VerificationOutcome>,
  judge: (proof: VerificationOutcome) => MaybeResult | Promise<MaybeResult>,
): Promise<MaybeResult> {
  return await judge(await proof);
}
