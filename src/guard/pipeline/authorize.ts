import { checkCall, type CallOptions, type Rules } from "../../core/rules.ts";
import { hash } from "node:crypto";
import { readClock, type Instant } from "../../core/clock.ts";
import { decisionEvents, type DecisionEvent } from "../../core/events.ts";
import {
  invalidVerdict,
  unavailableVerdict,
  type Decision,
  type InvalidVerdict,
  type UnavailableVerdict,
} from "../../core/verdict.ts";
import { abortable } from "../../resilience/deadline.ts";
import { askAuthority } from "./ask-authority.ts";
import type { PipelineContext } from "./context.ts";
import { decide, type Degradation } from "./decide.ts";
import { recordDegraded } from "./fallback.ts";
import type { ValidationResult, ValidToken } from "./validation-result.ts";
import { verifyToken } from "./verify-token.ts";
import type { Guard } from "../types.ts";

/** Where the rungs led. */
export interface AuthorizeResult<C> {
  readonly decision: Decision<C>;
  /** What was decided on; `degradation` when that was without the authority. */
  readonly result: ValidationResult;
  readonly degradation: Degradation | null;
}

/**
 * From a token to a decision, rung by rung. What is joined and remembered are findings; `decide` has the last
 * word on every call. Rejects with the reason of the caller's own signal, and for rules that are none.
 */
export function createAuthorize<C>(context: PipelineContext): Guard<C>["authorize"] {
  return async (token, rules) => {
    const refused = rejectEarly(context, token, rules);
    if (refused !== null) return publishDecision(context, refused, null);
    const digest = digestToken(token);
    const now = readClock(context.clock);
    const recalled = lookUp(context, digest, now);
    if (recalled !== undefined) {
      return publishDecision(context, decide<C>(context, recalled, "memory", now, rules), "memory");
    }
    return (await resolve<C>(context, token, digest, now, rules)).decision;
  };
}

/** The same for those who go on with what was found. `proved`: what they have of the token already. */
export async function authorizeDetailed<C>(
  context: PipelineContext,
  token: string,
  rules: (Rules & CallOptions) | undefined,
  proved?: ValidToken,
): Promise<AuthorizeResult<C>> {
  const refused = rejectEarly(context, token, rules);
  if (refused !== null) return published(context, refused, refused, null);
  const digest = digestToken(token);
  const now = readClock(context.clock);
  const recalled = lookUp(context, digest, now);
  if (recalled === undefined) return await resolve<C>(context, token, digest, now, rules, proved);
  return published(context, decide<C>(context, recalled, "memory", now, rules), recalled, "memory");
}

/** What needs no look at the token. */
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

/** Rungs 4 to 9. Apart, because a small function makes a hit cheaper. */
async function resolve<C>(
  context: PipelineContext,
  token: string,
  digest: string,
  now: Instant,
  rules: (Rules & CallOptions) | undefined,
  proved?: ValidToken,
): Promise<AuthorizeResult<C>> {
  if (context.restoring !== null) await abortable(context.restoring, rules?.signal);
  const earlier =
    lookUpStale(context, digest, now) ?? (proved && isKeyInForce(proved, now) ? proved : undefined);
  const sought = earlier ?? verifyToken(context, token, digest);
  const local = sought instanceof Promise ? await abortable(sought, rules?.signal) : sought;
  if ("status" in local) {
    const byItself = decideNow<C>(context, local, "verification", rules);
    // What is refused without the authority need not be asked about.
    const isOver = local.status !== "valid" || local.guardedIssuer.authority === undefined;
    if (isOver || byItself.status === "invalid") return published(context, byItself, local, "verification");
  }
  const { result, degradation, from: found } = await askAuthority(context, token, digest, local, rules);
  const from = result === earlier ? "memory" : found;
  const decision = decideNow<C>(context, result, from, rules, degradation);
  if (degradation !== null) {
    if (decision.status === "valid") recordDegraded(context, result, degradation);
    // What a token does not grant by itself, the authority might.
    if (decision.status === "forbidden" && !result.isComplete) {
      return published(context, unavailableVerdict(degradation.cause), result, from);
    }
  }
  return published(context, decision, result, from, degradation);
}

function published<C>(
  context: PipelineContext,
  decision: Decision<C>,
  result: ValidationResult,
  from: DecisionEvent["from"],
  degradation: Degradation | null = null,
): AuthorizeResult<C> {
  return { decision: publishDecision(context, decision, from), result: result, degradation: degradation };
}

/** What was true before the wait need not be true any more. */
function decideNow<C>(
  context: PipelineContext,
  found: ValidationResult,
  from: "memory" | "shared" | "verification",
  rules: Rules | undefined,
  degradation: Degradation | null = null,
): Decision<C> {
  if (context.closed) return unavailableVerdict("closed");
  const now = readClock(context.clock);
  if (found.status === "valid" && !isKeyInForce(found, now)) return unavailableVerdict("key_pending");
  return decide(context, found, from, now, rules, degradation);
}

function publishDecision<C>(
  { name }: PipelineContext,
  decision: Decision<C>,
  from: DecisionEvent["from"],
): Decision<C> {
  if (decisionEvents.hasSubscribers) {
    const { status } = decision;
    const detail = status === "invalid" ? decision.reason : status === "unavailable" ? decision.cause : null;
    const degraded = status === "valid" && decision.degraded !== null;
    decisionEvents.publish({ guard: name, status, detail, from, degraded });
  }
  return decision;
}

/**
 * Of the whole token: hashing a part would let the rest be swapped. Unpaired surrogates are hashed alike, but never
 * like ASCII, and a proof refuses both.
 */
function digestToken(token: string): string {
  return hash("sha256", token, "binary");
}

function lookUp(
  { resultCache, guardedIssuers }: PipelineContext,
  digest: string,
  now: Instant,
): ValidToken | InvalidVerdict | undefined {
  const valid = resultCache.getValid(digest, now);
  if (valid === undefined) return resultCache.getInvalid(digest, now, guardedIssuers.keysVersion);
  return isKeyInForce(valid, now) ? valid : undefined;
}

export function isKeyInForce({ key, keyEpoch, guardedIssuer }: ValidToken, now: Instant): boolean {
  const { keyring } = guardedIssuer;
  return key === null ? keyEpoch === null || keyEpoch === keyring.epoch : keyring.isInForce(key, now);
}

/** What saves a second proof where only the authority has to be asked (again), or where the key has vanished meanwhile. */
function lookUpStale({ resultCache }: PipelineContext, digest: string, now: Instant): ValidToken | undefined {
  const stale = resultCache.getStaleValid(digest, now);
  if (stale === undefined || !isKeyInForce(stale, now)) return undefined;
  const { key, kid, keyEpoch, guardedIssuer } = stale;
  // A key that could not be fetched may be here by now.
  if (keyEpoch !== null && !guardedIssuer.keyring.mayHaveUnfetched(kid)) return undefined;
  return guardedIssuer.authority !== undefined ||
    (key !== null && guardedIssuer.keyring.hasVanished(key, now))
    ? stale
    : undefined;
}
