import type { CallOptions, Rules } from "../../core/rules.ts";
import { elapsedMs, readClock, type Instant } from "../../core/clock.ts";
import { invalidVerdict, unavailableVerdict } from "../../core/verdict.ts";
import { checkClaims } from "../../jwt/claims.ts";
import { abortable, blockTolerantTimeout } from "../../resilience/deadline.ts";
import type { AuthorityAnswer } from "../authority/authority.ts";
import type { SourcedResult, PipelineContext, AuthorityCall } from "./context.ts";
import { refusalReason, type Degradation } from "./decide.ts";
import { degradedForMs } from "./fallback.ts";
import { confirmedToken, isAuthentic, opaqueToken } from "./validation-result.ts";
import type { LocalResult, ValidationResult, ValidToken } from "./validation-result.ts";
import type { GuardedIssuer } from "../issuers/guarded-issuer.ts";
import { describeError, emit } from "../emit.ts";
import { lookUpOrAsk, type AskAuthority, type LookupResult } from "../shared/lookup.ts";
import type { TokenSharedCache } from "../shared/issuer-shared-cache.ts";

/** What to decide on, and whether that is without the authority. */
export type AuthorityResult = Pick<SourcedResult, "from"> &
  (
    | { readonly result: ValidationResult; readonly degradation: null }
    | { readonly result: ValidToken; readonly degradation: Degradation }
  );

/** An authority that does not know an opaque token may yet hear of it. */
const DENIAL_MS = 10_000;
/** Instances that start later hear of a refused token for so long; then they ask. */
const SHARED_DENIAL_MS = 86_400_000;
/** A wall clock that was ahead and is set back by little steps must not bring a refused token back to life. */
const DENIAL_SLACK_MS = 3_600_000;

/**
 * Rungs 6 to 9 for a token that has an authority. Who may fall back waits with softTimeout only; the question goes on, and
 * its late answer lands.
 */
export async function askAuthority(
  context: PipelineContext,
  token: string,
  digest: string,
  local: LocalResult,
  rules: (Rules & CallOptions) | undefined,
): Promise<AuthorityResult> {
  const asked = joinOrAsk(context, token, digest, local);
  if ("from" in asked) return fallBack(context, asked, local, rules, 0);
  const mayDoWithout = "claims" in local && degradedForMs(context, local, rules, 0) !== null;
  const wait = mayDoWithout ? Promise.race([asked.result, asked.softTimeout()]) : asked.result;
  const answer =
    (await abortable(wait, rules?.signal)) ?? verificationResult(unavailableVerdict("authority_unavailable"));
  return fallBack(context, answer, local, rules, elapsedMs(context.clock, asked.startedAt));
}

/** A token that is asked about. */
interface PendingToken {
  readonly token: string;
  readonly digest: string;
  readonly local: LocalResult;
  readonly startedAt: Instant;
  /** Rung 6; `undefined` where nothing is shared. */
  readonly shared: TokenSharedCache | undefined;
}

/** Joins the question under way, or asks: other instances, then the authority. At once where nobody is asked. */
function joinOrAsk(
  context: PipelineContext,
  token: string,
  digest: string,
  local: LocalResult,
): AuthorityCall | SourcedResult {
  const { authorityCalls, clock, clockMonitor } = context;
  const joined = authorityCalls.get(digest);
  if (joined !== undefined) return joined;
  const { authority, sharedCache, source } = issuerOf(local);
  const failed = (error?: unknown) => {
    if (error !== undefined) emit(source, "authority_failed", describeError(error));
    return verificationResult(unavailableVerdict("authority_unavailable"));
  };
  if (authority === undefined) return failed();
  try {
    const startedAt = readClock(clock);
    // A signature that nobody checked may be any: no other's answer counts for it.
    const shared = sharedCache?.forToken(digest, isAuthentic(local) ? local.signedDigest : undefined);
    const pending = { token, digest, local, startedAt, shared };
    const isSuspect = "claims" in local && !local.isComplete && !isAuthentic(local);
    const put = (): ReturnType<AskAuthority> =>
      isSuspect ? authority.askUnverified(token) : authority.ask(token);
    const said = lookUpOrAsk(put, shared, clockMonitor.steppedMs(startedAt));
    if ("outcome" in said) return applyAnswer(context, pending, said);
    let stop = () => {};
    let waiting: Promise<null> | undefined;
    const softTimeout = async () =>
      await (waiting ??= new Promise<null>((resolve) => {
        const leftMs = Math.max(0, authority.softTimeoutMs - elapsedMs(clock, startedAt));
        stop = blockTolerantTimeout(clock, leftMs, () => resolve(null));
      }));
    const wait = async () => {
      try {
        return applyAnswer(context, pending, await said);
      } catch (error) {
        return failed(error);
      } finally {
        stop();
        authorityCalls.delete(digest);
      }
    };
    const call = { startedAt, result: wait(), softTimeout };
    authorityCalls.set(digest, call);
    return call;
  } catch (error) {
    return failed(error);
  }
}

function verificationResult(result: ValidationResult): SourcedResult {
  return { result, from: "verification" };
}

/** What an answer makes of what was known; remembered, whoever still waits for it. */
function applyAnswer(
  context: PipelineContext,
  pending: PendingToken,
  { outcome, sharedHit }: LookupResult,
): SourcedResult {
  if (outcome.status === "unavailable") return verificationResult(outcome);
  const { resultCache, guardedIssuers } = context;
  const { token, digest, local } = pending;
  const issuer = issuerOf(local);
  const result =
    outcome.status === "yes"
      ? mergeClaims(issuer, local, outcome.claims)
      : invalidVerdict(
          isAuthentic(local) ? refusalReason(local.tokenExpiresAt, readClock(context.clock)) : "inactive",
        );
  if (result.status === "unavailable") return verificationResult(result);
  if (sharedHit === null) {
    issuer.degradedMonitor.recordAnswer();
    shareAnswer(context, pending, outcome, result);
  }
  const answer: SourcedResult = { result, from: sharedHit === null ? "verification" : "shared" };
  if (result.status === "valid") {
    const bytes = sharedHit?.bytes ?? (outcome.status === "yes" ? JSON.stringify(outcome.claims).length : 0);
    resultCache.setValid(digest, result, Math.max(token.length, bytes), sharedHit?.remainingMs);
    return answer;
  }
  resultCache.deleteValid(digest);
  if (isAuthentic(local)) recordDenial(context, local);
  else {
    const ttlMs = Math.min(DENIAL_MS, sharedHit?.remainingMs ?? DENIAL_MS);
    resultCache.setInvalid(digest, result.reason, guardedIssuers.keysVersion, ttlMs);
  }
  if ("claims" in local && local.degradedSince !== null) {
    emit(issuer.source, "late_no", "a token that was let in is refused from now on");
  }
  return answer;
}

/** Other instances hear of a yes that lets in, and of a no: about a token that proved itself, for as long as that could live. */
function shareAnswer(
  context: PipelineContext,
  pending: PendingToken,
  answer: AuthorityAnswer,
  result: ValidationResult,
): void {
  const { shared, local, startedAt } = pending;
  if (shared === undefined || (answer.status === "yes" && result.status !== "valid")) return;
  const { clock, clockMonitor, toleranceMs, memoryTtlMs } = context;
  const now = readClock(clock);
  const endsAt =
    result.status === "valid"
      ? Math.min(startedAt.wall + memoryTtlMs, result.expiresAt + toleranceMs)
      : isAuthentic(local)
        ? Math.min(now.wall + SHARED_DENIAL_MS, local.tokenExpiresAt + toleranceMs)
        : now.wall + DENIAL_MS;
  void shared.publish({ answer, askedAt: startedAt.wall, expiresAt: endsAt }, clockMonitor.steppedMs(now));
}

/** An answer about somebody else, or for somebody else, is none about this token. */
function mergeClaims(
  issuer: GuardedIssuer,
  local: LocalResult,
  said: ValidToken["claims"],
): ValidationResult {
  const contradicts = "claims" in local && said.sub !== undefined && said.sub !== local.claims.sub;
  const foreign = said.iss !== undefined && said.iss !== issuer.claimsPolicy.issuer;
  if (contradicts || foreign) {
    emit(issuer.source, "authority_failed", "the authority answered about another subject or issuer");
    return unavailableVerdict("authority_unavailable");
  }
  if (said["cnf"] !== undefined) return invalidVerdict("sender_constrained");
  if ("claims" in local && local.signedDigest !== undefined) return confirmedToken(said, local);
  const claims = said.iss === undefined ? Object.freeze({ ...said, iss: issuer.claimsPolicy.issuer }) : said;
  const refused = checkClaims({ claims, typ: undefined }, { ...issuer.claimsPolicy, requireTyp: false });
  return refused === null ? opaqueToken(claims, issuer) : invalidVerdict(refused);
}

/** What the authority refused is revoked until it ends by itself. Where there is no room for that, nothing is let in without it. */
function recordDenial(
  { clock, clockMonitor, toleranceMs }: PipelineContext,
  { guardedIssuer, signedDigest, tokenExpiresAt }: ValidToken & { readonly signedDigest: string },
): void {
  const { issuer } = guardedIssuer.source;
  const until = tokenExpiresAt + toleranceMs + DENIAL_SLACK_MS;
  const nowMs = clockMonitor.earliestNowMs(readClock(clock));
  const isKept = guardedIssuer.revocationView.add({ kind: "token", id: signedDigest, issuer, until }, nowMs);
  if (!isKept) guardedIssuer.degradedMonitor.blockFallback(until);
}

/** What the policy allows when there is no answer. */
function fallBack(
  context: PipelineContext,
  answer: SourcedResult,
  local: LocalResult,
  rules: Rules | undefined,
  waitedMs: number,
): AuthorityResult {
  const { result, from } = answer;
  if (result.status !== "unavailable" || !("claims" in local)) return { result, from, degradation: null };
  const sinceMs = degradedForMs(context, local, rules, waitedMs);
  if (sinceMs === null) return { result, from, degradation: null };
  return { result: local, from, degradation: { cause: result.cause, sinceMs } };
}

function issuerOf(local: LocalResult): GuardedIssuer {
  return "claims" in local ? local.guardedIssuer : local;
}
