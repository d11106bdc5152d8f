import { elapsedMs, readClock } from "../../core/clock.ts";
import { degradedModes, type DegradedMode, type Rules } from "../../core/rules.ts";
import type { PipelineContext, SourcedResult } from "./context.ts";
import type { Degradation } from "./decide.ts";
import { isToken } from "./validation-result.ts";
import type { LocalResult, ValidationResult, ValidToken } from "./validation-result.ts";

/** The input of `decide`. `degradation` is set when the token stands in for a missing answer of the authority. */
export type FallbackResult = Pick<SourcedResult, "from"> &
  (
    | { readonly result: ValidationResult; readonly degradation: null }
    | { readonly result: ValidToken; readonly degradation: Degradation }
  );

/** Step 8: replaces a missing answer with the token's own facts, where the policy allows it. */
export function fallBack(
  context: PipelineContext,
  { result, from }: SourcedResult,
  local: LocalResult,
  rules: Rules | undefined,
  waitedMs: number,
): FallbackResult {
  if (result.status !== "unavailable" || !isToken(local)) return { result, from, degradation: null };
  const sinceMs = degradedForMs(context, local, rules, waitedMs);
  if (sinceMs === null) return { result, from, degradation: null };
  return { result: local, from, degradation: { cause: result.cause, sinceMs } };
}

/**
 * How long the authority's answer about this token has been missing, in milliseconds. `null` when the token must not be
 * accepted without the authority. The bound `maxMs` counts from the earlier of two moments: when the authority began to fail, and
 * when the token was first accepted without the authority.
 */
export function degradedForMs(
  { fallback, clock, clockMonitor }: PipelineContext,
  { guardedIssuer, isComplete, key, lacksClaims, degradedSince }: ValidToken,
  rules: Rules | undefined,
  waitedMs: number,
): number | null {
  const mode = stricterMode(fallback.mode, rules?.degraded);
  const isLocallyValid = key !== null && !lacksClaims;
  if (mode === "deny" || !(isComplete || (mode === "local" && isLocallyValid))) return null;
  const { fallbackBlockedUntil } = guardedIssuer.degradedMonitor;
  if (fallbackBlockedUntil !== -Infinity) {
    if (clockMonitor.earliestNowMs(readClock(clock)) <= fallbackBlockedUntil) return null;
  }
  const failingMs = guardedIssuer.authority?.failingMs() ?? 0;
  const sinceMs = Math.max(waitedMs, failingMs, degradedSince === null ? 0 : elapsedMs(clock, degradedSince));
  return sinceMs < fallback.maxMs ? sinceMs : null;
}

/** A route can only be stricter than the guard. */
function stricterMode(guardMode: DegradedMode, routeMode: DegradedMode | undefined): DegradedMode {
  if (routeMode === undefined) return guardMode;
  return degradedModes.indexOf(guardMode) < degradedModes.indexOf(routeMode) ? guardMode : routeMode;
}

/** Counts a degraded decision. From the first one on, `maxMs` bounds how long this token is accepted. */
export function recordDegraded({ clock }: PipelineContext, token: ValidToken, { cause }: Degradation): void {
  token.degradedSince ??= readClock(clock);
  token.guardedIssuer.degradedMonitor.recordDecision(cause);
}
