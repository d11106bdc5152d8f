import type { Instant } from "../../core/clock.ts";
import { decisionEvents } from "../../core/event-channels.ts";
import type { Decision, InvalidVerdict } from "../../core/verdict.ts";
import { decisionDetail, type ResultOrigin } from "../metrics/decision-counts.ts";
import { isStale } from "./catch-up.ts";
import type { PipelineContext } from "./context.ts";
import type { ValidationResult, ValidToken } from "./validation-result.ts";

/**
 * Counts a decision from memory. That is all that most hits cost: one in 256 is timed, and an event is published only
 * to a subscriber.
 */
export function publishHit<D extends Decision<unknown>>(
  context: PipelineContext,
  decision: D,
  cached: ValidToken | InvalidVerdict,
  startedAt: Instant,
): D {
  const isTimed = context.decisionDurations.isHitTimed();
  const isObserved = decisionEvents.hasSubscribers || context.decisionTracing !== undefined;
  if (isTimed || decision.status !== "valid" || cached.status !== "valid" || isObserved) {
    return publishDecision(context, decision, "memory", cached, isTimed ? startedAt : null);
  }
  const { decisionCounts } = cached.guardedIssuer;
  if (decision.basis === "authority") decisionCounts.confirmedHits++;
  else decisionCounts.verifiedHits++;
  return decision;
}

/** Counts, times and publishes a decision. It is not timed without a start. */
export function publishDecision<D extends Decision<unknown>>(
  { name, unknownIssuerDecisions, decisionDurations, decisionTracing, warnings }: PipelineContext,
  decision: D,
  origin: ResultOrigin | null,
  result: ValidationResult,
  startedAt: Instant | null,
): D {
  const issuer = result.status === "valid" ? result.guardedIssuer : null;
  (issuer?.decisionCounts ?? unknownIssuerDecisions).record(decision, origin);
  if (isStale(decision)) issuer?.revocationFollower?.recordRefusal();
  const isTimed = origin !== null && startedAt !== null;
  const durationMs = isTimed ? decisionDurations.record(origin, startedAt, decisionTracing?.traceId()) : null;
  if (decision.status === "invalid") warnings.noteRefusal(decision);
  decisionTracing?.describe(decision, origin, issuer?.source.issuer ?? null);
  if (decisionEvents.hasSubscribers) {
    decisionEvents.publish({
      guard: name,
      issuer: issuer?.source.issuer ?? null,
      status: decision.status,
      detail: decisionDetail(decision),
      from: origin === "joined" ? "verification" : origin,
      basis: decision.status === "valid" ? decision.basis : null,
      degraded: decision.status === "valid" && decision.degraded !== null,
      durationMs,
    });
  }
  return decision;
}
