import { degradedModes, type DegradedMode, type Rules } from "../../core/rules.ts";
import { elapsedMs, readClock } from "../../core/clock.ts";
import type { Degradation } from "./decide.ts";
import type { ValidToken } from "./validation-result.ts";
import type { PipelineContext } from "./context.ts";

/**
 * Rung 8: for how long there has been no answer about a token that may be let in all the same; `null` where it may not.
 * The bound counts from whatever is earlier: the authority's last answer, or when this token was first let in.
 */
export function degradedForMs(
  { fallback, clock, clockMonitor }: PipelineContext,
  { guardedIssuer, isComplete, key, degradedSince }: ValidToken,
  rules: Rules | undefined,
  waitedMs: number,
): number | null {
  const mode = stricterMode(fallback.mode, rules?.degraded);
  if (mode === "deny" || !(isComplete || (mode === "local" && key !== null))) return null;
  const { fallbackBlockedUntil } = guardedIssuer.degradedMonitor;
  if (
    fallbackBlockedUntil !== -Infinity &&
    clockMonitor.earliestNowMs(readClock(clock)) <= fallbackBlockedUntil
  )
    return null;
  const failingMs = guardedIssuer.authority?.failingMs() ?? 0;
  const sinceMs = Math.max(waitedMs, failingMs, degradedSince === null ? 0 : elapsedMs(clock, degradedSince));
  return sinceMs < fallback.maxMs ? sinceMs : null;
}

/** A route can be stricter than the guard, never laxer. */
function stricterMode(one: DegradedMode, other: DegradedMode | undefined): DegradedMode {
  if (other === undefined) return one;
  return degradedModes.indexOf(one) < degradedModes.indexOf(other) ? one : other;
}

/** Told, counted, and from now on bounded in time. */
export function recordDegraded({ clock }: PipelineContext, result: ValidToken, { cause }: Degradation): void {
  result.degradedSince ??= readClock(clock);
  result.guardedIssuer.degradedMonitor.recordDecision(cause);
}
