import { elapsedMs, instant } from "../core/clock.ts";
import type { Lapse } from "./decide.ts";
import type { Known } from "./finding.ts";
import type { Ladder } from "./context.ts";
import { degradedModes } from "./degraded-policy.ts";
import type { DegradedMode, Rules } from "./types.ts";

/**
 * Rung 8: for how long there has been no answer about a token that may be let in all the same; `null` where it may not.
 * The bound counts from whatever is earlier: the authority's last answer, or when this token was first let in.
 */
export function bridgedMs(
  { degraded, clock, timekeeper }: Ladder,
  { realm, isWhole, key, lapsedAt }: Known,
  rules: Rules | undefined,
  waitedMs: number,
): number | null {
  const mode = narrower(degraded.mode, rules?.degraded);
  if (mode === "deny" || !(isWhole || (mode === "local" && key !== null))) return null;
  const { barredUntil } = realm.lapses;
  if (barredUntil !== -Infinity && timekeeper.slower(instant(clock)) <= barredUntil) return null;
  const failingMs = realm.authority?.failingMs() ?? 0;
  const sinceMs = Math.max(waitedMs, failingMs, lapsedAt === null ? 0 : elapsedMs(clock, lapsedAt));
  return sinceMs < degraded.maxMs ? sinceMs : null;
}

/** A route can be stricter than the guard, never laxer. */
function narrower(one: DegradedMode, other: DegradedMode | undefined): DegradedMode {
  if (other === undefined) return one;
  return degradedModes.indexOf(one) < degradedModes.indexOf(other) ? one : other;
}

/** Told, counted, and from now on bounded in time. */
export function letIn({ clock }: Ladder, finding: Known, { cause }: Lapse): void {
  finding.lapsedAt ??= instant(clock);
  finding.realm.lapses.count(cause);
}
