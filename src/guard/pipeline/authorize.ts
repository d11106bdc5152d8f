import { elapsedMs, readClock, type Instant } from "../../core/clock.ts";
import { addFromMemory } from "../../core/from-memory.ts";
import { checkCall, type CallOptions, type Rules } from "../../core/rules.ts";
import {
  invalidVerdict,
  unavailableVerdict,
  type Decision,
  type InvalidVerdict,
  type UnavailableVerdict,
} from "../../core/verdict.ts";
import { abortable } from "../../resilience/deadline.ts";
import type { ResultOrigin } from "../metrics/decision-counts.ts";
import type { Guard } from "../types.ts";
import { askAuthority, waitForAnswer } from "./ask-authority.ts";
import { readAuthTime } from "./auth-age.ts";
import { catchUp, isStale } from "./catch-up.ts";
import type { PipelineContext } from "./context.ts";
import { decide, type Degradation } from "./decide.ts";
import { fallBack, recordDegraded } from "./fallback.ts";
import { publishDecision, publishHit } from "./publish-decision.ts";
import { createDecideFromMemory } from "./decide-from-memory.ts";
import {
  authorityOf,
  isKeyInForce,
  type LocalResult,
  type ValidationResult,
  type ValidToken,
} from "./validation-result.ts";
import { tokenNames } from "./token-names.ts";
import { verifyToken } from "./verify-token.ts";

/** A decision, and what it was made from. */
export interface AuthorizeResult<C> {
  readonly decision: Decision<C>;
  readonly result: ValidationResult;
  /** Set when the guard decided without the authority's answer. */
  readonly degradation: Degradation | null;
}

/**
 * Makes `authorize`, which takes a token through the steps of a validation. Validation results are joined and cached;
 * `decide` runs on every call. Rejects with the reason of the caller's signal, and with `invalid_option` for wrong rules.
 */
export function createAuthorize<C>(context: PipelineContext): Guard<C>["authorize"] {
  const authorize: Guard<C>["authorize"] = async (token, rules) => {
    const rejected = rejectEarly(context, token, rules);
    if (rejected !== null) return publishDecision(context, rejected, null, rejected, null);
    const now = readClock(context.clock);
    const tokenName = tokenNames.nameOf(token);
    const cached = lookUp(context, tokenName, now);
    if (cached === undefined) return (await authorizeCold<C>(context, token, tokenName, now, rules)).decision;
    const decision = decide<C>(context, cached, "memory", now, rules);
    if (isStale(decision)) return (await authorizeAgain<C>(context, cached, now, rules)).decision;
    return publishHit(context, decision, cached, now);
  };
  return addFromMemory(authorize, createDecideFromMemory<C>(context));
}

/**
 * The same steps for callers that need the validation result. `authorize` repeats them, because one more promise would
 * make a hit 11 % slower.
 *
 * @param known What an earlier call found out about the token. It replaces a verification that the cache has lost.
 */
export async function authorizeDetailed<C>(
  context: PipelineContext,
  token: string,
  rules: (Rules & CallOptions) | undefined,
  known?: ValidToken,
): Promise<AuthorizeResult<C>> {
  const rejected = rejectEarly(context, token, rules);
  if (rejected !== null) return publish(context, rejected, null, rejected, null);
  const now = readClock(context.clock);
  const tokenName = tokenNames.nameOf(token);
  const cached = lookUp(context, tokenName, now);
  if (cached === undefined) return await authorizeCold<C>(context, token, tokenName, now, rules, known);
  const decision = decide<C>(context, cached, "memory", now, rules);
  if (isStale(decision)) return await authorizeAgain<C>(context, cached, now, rules);
  return { decision: publishHit(context, decision, cached, now), result: cached, degradation: null };
}

/** Decides about a remembered token when the view of revocations has had a chance to become recent again. */
async function authorizeAgain<C>(
  context: PipelineContext,
  cached: ValidToken | InvalidVerdict,
  startedAt: Instant,
  rules: (Rules & CallOptions) | undefined,
): Promise<AuthorizeResult<C>> {
  await catchUp(context, rules);
  return publish(context, decideNow<C>(context, cached, "memory", rules), "memory", cached, startedAt);
}

/** Step 1: checks that need no look into the token. */
function rejectEarly(
  context: PipelineContext,
  token: string,
  rules: (Rules & CallOptions) | undefined,
): InvalidVerdict | UnavailableVerdict | null {
  if (rules !== undefined) {
    checkCall(rules);
    rules.signal?.throwIfAborted();
  }
  if (context.closed) return unavailableVerdict("closed");
  if (typeof token !== "string") return invalidVerdict("malformed");
  return token.length > context.maxTokenBytes ? invalidVerdict("too_large") : null;
}

/** Step 3. */
function lookUp(
  { resultCache }: PipelineContext,
  tokenName: string,
  now: Instant,
): ValidToken | InvalidVerdict | undefined {
  const valid = resultCache.getValid(tokenName, now);
  if (valid === undefined) return resultCache.getInvalid(tokenName, now);
  return isKeyInForce(valid, now) ? valid : undefined;
}

/** Steps 4 to 10, for a token that is not in memory. Kept apart, because a small function makes a hit cheaper. */
async function authorizeCold<C>(...call: ColdCall): Promise<AuthorizeResult<C>> {
  const [{ decisionTracing }, , tokenName] = call;
  if (decisionTracing === undefined) return await decideCold<C>(...call);
  return await decisionTracing.run(tokenName, async () => await decideCold<C>(...call));
}

type ColdCall = Parameters<typeof decideCold>;

async function decideCold<C>(
  context: PipelineContext,
  token: string,
  tokenName: string,
  now: Instant,
  rules: (Rules & CallOptions) | undefined,
  known?: ValidToken,
): Promise<AuthorizeResult<C>> {
  if (context.restoring !== null) await abortable(context.restoring, rules?.signal);
  const catchingUp = catchUp(context, rules);
  if (catchingUp !== null) await catchingUp;
  const isJoining = isUnderWay(context, tokenName);
  // Steps 4 and 5: join, verify. An earlier verification is enough when only the authority has to be asked.
  const earlier =
    lookUpStale(context, tokenName, now) ?? (known && isKeyInForce(known, now) ? known : undefined);
  const verification = earlier ?? verifyToken(context, token, tokenName);
  const local = verification instanceof Promise ? await abortable(verification, rules?.signal) : verification;
  if ("status" in local) {
    const decision = decideNow<C>(context, local, "verification", rules);
    const isFinal = local.status !== "valid" || authorityOf(local) === undefined;
    // The authority need not be asked about a token that is invalid without it.
    const isInvalid = decision.status === "invalid" && !mayAuthorityChange(local, decision);
    if (isFinal || isInvalid) {
      reportAccepted(local, decision);
      return publish(context, decision, isJoining ? "joined" : "verification", local, now);
    }
  }
  return await authorizeByAuthority<C>(
    context,
    { token, tokenName, local, earlier, startedAt: now, isJoining },
    rules,
  );
}

/** A token that the guard cannot decide about without its authority. */
interface UndecidedToken {
  readonly token: string;
  readonly tokenName: string;
  readonly local: LocalResult;
  /** The result of an earlier call. `undefined` when `local` is new. */
  readonly earlier: ValidToken | undefined;
  readonly startedAt: Instant;
  /** Whether another caller had begun the same work. */
  readonly isJoining: boolean;
}

/** Steps 6 to 10. */
async function authorizeByAuthority<C>(
  context: PipelineContext,
  { token, tokenName, local, earlier, startedAt, isJoining }: UndecidedToken,
  rules: (Rules & CallOptions) | undefined,
): Promise<AuthorizeResult<C>> {
  // Steps 6 and 7: shared cache, authority. Step 9, remember, follows when the answer arrives.
  const call = askAuthority(context, token, tokenName, local);
  let { answer } = call;
  let waitedMs = 0;
  if (answer === null) {
    answer = await waitForAnswer(context, call, local, rules);
    waitedMs = elapsedMs(context.clock, call.startedAt);
  }
  // Step 8: fallback.
  const { result, degradation, from: source } = fallBack(context, answer, local, rules, waitedMs);
  const from = result === earlier ? "memory" : source;
  // Step 10: decide.
  const decision = decideNow<C>(context, result, from, rules, degradation);
  const origin = isJoining ? "joined" : from;
  if (degradation === null) return publish(context, decision, origin, result, startedAt);
  if (decision.status === "valid") recordDegraded(context, result, degradation);
  if (mayAuthorityChange(result, decision)) {
    return publish(context, unavailableVerdict(degradation.cause), origin, result, startedAt);
  }
  return publish(context, decision, origin, result, startedAt, degradation);
}

/** Whether another caller has begun to validate the same token. */
function isUnderWay({ verifications, authorityCalls }: PipelineContext, tokenName: string): boolean {
  return verifications.inFlight(tokenName) !== undefined || authorityCalls.has(tokenName);
}

/** Tells the issuer that its token is in use. The request does not depend on it. */
function reportAccepted<C>(result: ValidationResult, { status }: Decision<C>): void {
  if (result.status !== "valid" || (status !== "valid" && status !== "forbidden")) return;
  try {
    result.guardedIssuer.tokenAccepted?.(result.claims);
  } catch {
    // The feed reports its own failures.
  }
}

/**
 * Whether the missing answer of the authority may change a refusal: it may grant a scope, or supply the time of the
 * login, the audience or another claim, that the token itself does not name.
 */
function mayAuthorityChange<C>(result: ValidationResult, decision: Decision<C>): boolean {
  if (result.status !== "valid" || result.isComplete) return false;
  if (decision.status === "forbidden") return true;
  if (decision.status !== "invalid") return false;
  if (decision.reason === "wrong_audience" || decision.reason === "wrong_claim") {
    return decision.detail?.got === null;
  }
  const isTooOld = decision.reason === "insufficient_user_authentication";
  return isTooOld && readAuthTime(result.claims) === undefined;
}

/**
 * An earlier verification, for a token whose authority has to be asked (again) or whose key has vanished from the set.
 * It saves a second verification.
 */
function lookUpStale(
  { resultCache }: PipelineContext,
  tokenName: string,
  now: Instant,
): ValidToken | undefined {
  const stale = resultCache.getStaleValid(tokenName, now);
  if (stale === undefined || !isKeyInForce(stale, now)) return undefined;
  const { key, kid, keyEpoch, guardedIssuer } = stale;
  const { keyring } = guardedIssuer;
  // The key that could not be fetched may have arrived since.
  if (keyEpoch !== null && !keyring.mayHaveUnfetched(kid)) return undefined;
  return authorityOf(stale) !== undefined || (key !== null && keyring.hasVanished(key, now))
    ? stale
    : undefined;
}

/** Decides with a new clock reading. The guard may have been closed, or the key withdrawn, since the last one. */
export function decideNow<C>(
  context: PipelineContext,
  result: ValidationResult,
  from: "memory" | "shared" | "verification",
  rules: Rules | undefined,
  degradation: Degradation | null = null,
): Decision<C> {
  if (context.closed) return unavailableVerdict("closed");
  const now = readClock(context.clock);
  if (result.status === "valid" && !isKeyInForce(result, now)) return unavailableVerdict("key_pending");
  return decide(context, result, from, now, rules, degradation);
}

function publish<C>(
  context: PipelineContext,
  decision: Decision<C>,
  origin: ResultOrigin | null,
  result: ValidationResult,
  startedAt: Instant | null,
  degradation: Degradation | null = null,
): AuthorizeResult<C> {
  return {
    decision: publishDecision(context, decision, origin, result, startedAt),
    result,
    degradation,
  };
}
