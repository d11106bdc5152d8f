import { readClock } from "../../core/clock.ts";
import type { CallOptions, Rules } from "../../core/rules.ts";
import type { Decision } from "../../core/verdict.ts";
import { abortable } from "../../resilience/deadline.ts";
import type { PipelineContext } from "./context.ts";
import { isViewTooOld } from "./decide.ts";

/**
 * Waits for reads of the revocation log that are due in a process that was frozen, so that its first requests get an answer.
 * `null` when no read is due. Rejects with the reason of the caller's signal.
 */
export function catchUp(
  context: PipelineContext,
  rules: (Rules & CallOptions) | undefined,
): Promise<unknown> | null {
  const now = readClock(context.clock);
  const waits: Promise<void>[] = [];
  for (const { revocationFollower: follower } of context.guardedIssuers.configured) {
    if (follower === undefined || !isViewTooOld(context, follower.ageMs(now), rules?.maxRevocationAgeMs))
      continue;
    const wait = follower.catchUp(now);
    if (wait !== null) waits.push(wait);
  }
  return waits.length === 0 ? null : abortable(Promise.all(waits), rules?.signal);
}

/** Whether the decision failed only because the view of revocations is too old. */
export function isStale<C>(decision: Decision<C>): boolean {
  return decision.status === "unavailable" && decision.cause === "revocations_stale";
}
