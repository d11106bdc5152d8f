import { readClock, type Instant } from "../../core/clock.ts";
import type { CallOptions, Rules } from "../../core/rules.ts";
import { invalidVerdict, unavailableVerdict, type InvalidVerdict } from "../../core/verdict.ts";
import { subjectOf } from "../../jwt/claim-sources.ts";
import { refuseKind } from "../../jwt/claims.ts";
import { abortable } from "../../resilience/deadline.ts";
import type { AuthorityAnswer, AuthorityOutcome } from "../authority/authority.ts";
import { describeError, emit } from "../emit.ts";
import { publishSoftTimeout } from "../metrics/record-request.ts";
import type { GuardedIssuer } from "../issuers/guarded-issuer.ts";
import type { SharedHit, TokenSharedCache } from "../shared/issuer-shared-cache.ts";
import type { AuthorityCall, PipelineContext, SourcedResult } from "./context.ts";
import { refusalReason } from "./decide.ts";
import { degradedForMs } from "./fallback.ts";
import { currentKeys } from "./result-cache.ts";
import { SoftTimeout } from "./soft-timeout.ts";
import { digestToken } from "./token-names.ts";
import { confirmedToken, opaqueToken, refuseAnswer } from "./valid-token.ts";
import { isAuthentic, issuerOf, isToken } from "./validation-result.ts";
import type { LocalResult, ValidationResult, ValidToken } from "./validation-result.ts";

/** How long a refused opaque token stays refused. The authority may learn of the token later. */
const OPAQUE_DENIAL_MS = 10_000;
/** How long other instances find the authority's no in the shared cache. Later ones ask the authority. */
const SHARED_DENIAL_MS = 86_400_000;
/** A denial outlives its token by this, so that a clock set back in small steps does not revive the token. */
const DENIAL_SLACK_MS = 3_600_000;

const unanswered: SourcedResult = {
  result: unavailableVerdict("authority_unavailable"),
  from: "verification",
};

/** Steps 6 and 7: asks the shared cache, then the authority. Joins a call for the same token that is in flight. */
export function askAuthority(
  context: PipelineContext,
  token: string,
  tokenName: string,
  local: LocalResult,
): AuthorityCall {
  const joined = context.authorityCalls.get(tokenName);
  if (joined !== undefined) return joined;
  const unusable = context.unusableAnswers.get(tokenName, readClock(context.clock));
  if (unusable !== null) return answeredCall(context, { result: unusable, from: "verification" });
  const call = new PendingCall(context, token, tokenName, local);
  if (call.answer === null) context.authorityCalls.set(tokenName, call);
  return call;
}

/** A call that needs no question. */
function answeredCall({ clock }: PipelineContext, answer: SourcedResult): AuthorityCall {
  return {
    startedAt: readClock(clock),
    answer,
    answered: Promise.resolve(answer),
    softTimeout: async () => await Promise.resolve(null),
  };
}

/**
 * Waits for the answer of a call. A caller that may fall back waits for the soft timeout only: the call continues, and
 * its late answer is applied. Rejects with the reason of the caller's signal.
 */
export async function waitForAnswer(
  context: PipelineContext,
  call: AuthorityCall,
  local: LocalResult,
  rules: (Rules & CallOptions) | undefined,
): Promise<SourcedResult> {
  const mayFallBack = isToken(local) && degradedForMs(context, local, rules, 0) !== null;
  const answer = mayFallBack ? Promise.race([call.answered, call.softTimeout()]) : call.answered;
  return (await abortable(answer, rules?.signal)) ?? unanswered;
}

/** A token, and what is known about it when its call starts. */
interface PendingToken {
  readonly token: string;
  readonly tokenName: string;
  readonly local: LocalResult;
  readonly startedAt: Instant;
  /** `undefined` when the guard shares nothing. */
  readonly shared: TokenSharedCache | undefined;
}

class PendingCall implements AuthorityCall {
  readonly startedAt: Instant;
  readonly answered: Promise<SourcedResult>;
  answer: SourcedResult | null = null;
  readonly #context: PipelineContext;
  readonly #issuer: GuardedIssuer;
  readonly #softTimeout: SoftTimeout;

  constructor(context: PipelineContext, token: string, tokenName: string, local: LocalResult) {
    this.#context = context;
    this.#issuer = issuerOf(local);
    this.startedAt = readClock(context.clock);
    const { authority, source } = this.#issuer;
    this.#softTimeout = new SoftTimeout(
      context.clock,
      () => authority?.softTimeoutMs ?? 0,
      (waitedMs) => publishSoftTimeout(source, waitedMs),
    );
    this.answered = this.#run(token, tokenName, local);
  }

  async softTimeout(): Promise<null> {
    return await this.#softTimeout.ended();
  }

  async #run(token: string, tokenName: string, local: LocalResult): Promise<SourcedResult> {
    const { clockMonitor, authorityCalls } = this.#context;
    const { sharedCache, source } = this.#issuer;
    const { startedAt } = this;
    try {
      // The digest of the signing input names a token only after its signature was verified.
      const shared = sharedCache?.forToken(
        isAuthentic(local) ? `signed ${local.signedDigest}` : `opaque ${digestToken(token)}`,
      );
      const lookup = shared?.lookUp(clockMonitor.steppedMs(startedAt)) ?? null;
      const hit = lookup instanceof Promise ? await lookup : lookup;
      const asked = hit?.answer ?? this.#ask(token, tokenName, local);
      const outcome = asked instanceof Promise ? await asked : asked;
      this.answer = applyAnswer(this.#context, { token, tokenName, local, startedAt, shared }, outcome, hit);
    } catch (error) {
      emit(source, "authority_failed", describeError(error));
      this.answer = unanswered;
    }
    this.#softTimeout.stop();
    authorityCalls.delete(tokenName);
    return this.answer;
  }

  /** Anyone can make up opaque tokens and JWTs that no key verifies. They get a separate budget and a separate queue. */
  #ask(token: string, tokenName: string, local: LocalResult): AuthorityOutcome | Promise<AuthorityOutcome> {
    const { authority } = this.#issuer;
    if (authority === undefined) return unavailableVerdict("authority_unavailable");
    const question = {
      lane: isAuthentic(local) || (isToken(local) && local.isComplete) ? "known" : "unknown",
      onSent: () => this.#softTimeout.resume(),
      onUnusable: () => this.#context.unusableAnswers.record(tokenName),
    } as const;
    const isUnverified = isToken(local) && local.key === null && !local.isComplete;
    this.#softTimeout.pause();
    const asked = isUnverified ? authority.askUnverified(token, question) : authority.ask(token, question);
    if (!(asked instanceof Promise)) this.#softTimeout.resume();
    return asked;
  }
}

/**
 * Combines the answer with what was known, and stores the result (step 9). It runs once for each answer, also for one
 * that arrives after every caller stopped waiting.
 */
function applyAnswer(
  context: PipelineContext,
  pending: PendingToken,
  outcome: AuthorityOutcome,
  hit: SharedHit | null,
): SourcedResult {
  if (outcome.status === "unavailable") return { result: outcome, from: "verification" };
  const { token, tokenName, local } = pending;
  const issuer = issuerOf(local);
  const result =
    outcome.status === "yes"
      ? mergeClaims(context, pending, outcome.claims)
      : invalidVerdict(
          isAuthentic(local) ? refusalReason(local.tokenExpiresAt, readClock(context.clock)) : "inactive",
        );
  if (result.status === "unavailable") return { result, from: "verification" };
  if (hit === null) {
    issuer.degradedMonitor.recordAnswer();
    shareAnswer(context, pending, outcome, result);
  }
  if (result.status === "valid") {
    const answerBytes = hit?.bytes ?? (outcome.status === "yes" ? JSON.stringify(outcome.claims).length : 0);
    context.resultCache.setValid(tokenName, result, Math.max(token.length, answerBytes), hit?.remainingMs);
  } else {
    recordRefusal(context, tokenName, local, result, hit);
  }
  return { result, from: hit === null ? "verification" : "shared" };
}

/**
 * Publishes the answer to other instances. A no about a signed token is readable until the token expires, at most for a
 * day. A yes that the guard's own policy refuses is not shared.
 */
function shareAnswer(
  { clock, clockMonitor, toleranceMs, memoryTtlMs }: PipelineContext,
  { shared, local, startedAt }: PendingToken,
  answer: AuthorityAnswer,
  result: ValidationResult,
): void {
  if (shared === undefined || (answer.status === "yes" && result.status !== "valid")) return;
  const now = readClock(clock);
  const expiresAt =
    result.status === "valid"
      ? Math.min(startedAt.wall + memoryTtlMs, result.expiresAt + toleranceMs)
      : isAuthentic(local)
        ? Math.min(now.wall + SHARED_DENIAL_MS, local.tokenExpiresAt + toleranceMs)
        : now.wall + OPAQUE_DENIAL_MS;
  void shared.publish({ answer, askedAt: startedAt.wall, expiresAt }, clockMonitor.steppedMs(now));
}

/** An answer that names another subject or issuer is not an answer about this token. */
function mergeClaims(
  { unusableAnswers }: PipelineContext,
  { local, tokenName }: PendingToken,
  answer: ValidToken["claims"],
): ValidationResult {
  const issuer = issuerOf(local);
  const { claimsPolicy } = issuer;
  const isOtherSubject = isToken(local) && namesOtherSubject(answer, local);
  const isOtherIssuer = answer.iss !== undefined && answer.iss !== claimsPolicy.issuer;
  if (isOtherSubject || isOtherIssuer) {
    unusableAnswers.record(tokenName);
    emit(issuer.source, "authority_failed", "the authority answered about another subject or issuer");
    return unavailableVerdict("authority_unavailable");
  }
  const wrongKind = refuseKind(answer, claimsPolicy);
  if (wrongKind !== null) return wrongKind;
  if ((answer["cnf"] ?? null) !== null) return invalidVerdict("sender_constrained");
  if (isToken(local) && local.signedDigest !== undefined) {
    return confirmedToken(answer, local);
  }
  const claims = answer.iss === undefined ? Object.freeze({ ...answer, iss: claimsPolicy.issuer }) : answer;
  return refuseAnswer(claims, issuer) ?? opaqueToken(claims, issuer);
}

/** Whether the answer names another subject than the token, in `sub` or in the claim of `subjectFrom`. */
function namesOtherSubject(
  answer: ValidToken["claims"],
  { ownClaims, guardedIssuer: { claimsPolicy } }: ValidToken,
): boolean {
  return [claimsPolicy, { ...claimsPolicy, subjectFrom: "sub" }].some((policy) => {
    const [own, named] = [subjectOf(ownClaims, policy), subjectOf(answer, policy)];
    return own !== "" && named !== "" && own !== named;
  });
}

/** A refused token is forgotten. An authentic one is revoked, and the no to another one is remembered for ten seconds. */
function recordRefusal(
  context: PipelineContext,
  tokenName: string,
  local: LocalResult,
  refusal: InvalidVerdict,
  hit: SharedHit | null,
): void {
  const { reason } = refusal;
  const { resultCache } = context;
  const keys = currentKeys(issuerOf(local));
  resultCache.deleteValid(tokenName);
  if (reason === "missing_claim" || reason === "wrong_audience" || reason === "wrong_claim") {
    // The answer lacks what the policy requires. The authority may know more of the token later.
    resultCache.setInvalid(tokenName, refusal, keys, OPAQUE_DENIAL_MS);
  } else if (isAuthentic(local)) {
    revoke(context, local);
    // The revocation is what counts once this entry has expired.
    if (reason === "wrong_type") resultCache.setInvalid(tokenName, refusal, keys);
  } else {
    const ttlMs = Math.min(OPAQUE_DENIAL_MS, hit?.remainingMs ?? OPAQUE_DENIAL_MS);
    resultCache.setInvalid(tokenName, refusal, keys, ttlMs);
  }
  if (isToken(local) && local.degradedSince !== null) {
    emit(
      local.guardedIssuer.source,
      "late_no",
      "the authority refused a token that was accepted without the authority",
    );
  }
}

/** Law 3: the authority's no is a revocation. When the view has no room for it, the guard stops falling back. */
function revoke(
  { clock, clockMonitor, toleranceMs }: PipelineContext,
  { guardedIssuer, signedDigest, tokenExpiresAt }: ValidToken & { readonly signedDigest: string },
): void {
  const { source, revocationView, degradedMonitor } = guardedIssuer;
  const until = tokenExpiresAt + toleranceMs + DENIAL_SLACK_MS;
  const nowMs = clockMonitor.earliestNowMs(readClock(clock));
  const { issuer } = source;
  const isAdded = revocationView.add({ kind: "token", id: signedDigest, issuer, until }, nowMs);
  if (!isAdded) degradedMonitor.blockFallback(until);
}
