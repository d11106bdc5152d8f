import type { Instant } from "../../core/clock.ts";
import { decisionEvents } from "../../core/event-channels.ts";
import type { Decision } from "../../core/verdict.ts";
import { decisionDetail, type ResultOrigin } from "../metrics/decision-counts.ts";
import type { PipelineContext } from "./context.ts";
import type { ValidationResult } from "./validation-result.ts";

/** Counts, times and publishes a decision. A decision without a look into the token has no origin and no start. */
export function publishDecision<C>(
  { name, unknownIssuerDecisions, decisionDurations, warnings }: PipelineContext,
  decision: Decision<C>,
  origin: ResultOrigin | null,
  result: ValidationResult,
  startedAt: Instant | null,
): Decision<C> {
  const issuer = result.status === "valid" ? result.guardedIssuer : null;
  (issuer?.decisionCounts ?? unknownIssuerDecisions).record(decision, origin);
  const isTimed = origin !== null && startedAt !== null;
  const durationMs = isTimed ? decisionDurations.record(origin, startedAt) : null;
  if (decision.status === "invalid") warnings.noteRefusal(decision);
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
