import { isBearerToken } from "../../core/bearer.ts";
import { readClock } from "../../core/clock.ts";
import type { DecideFromMemory } from "../../core/from-memory.ts";
import type { PipelineContext } from "./context.ts";
import { decide } from "./decide.ts";
import { publishHit } from "./publish-decision.ts";
import { tokenNames } from "./token-names.ts";
import { isKeyInForce } from "./validation-result.ts";

/**
 * Steps 1, 2, 3 and 10 for a remembered token that passes. In every other case the caller takes all steps, so only they
 * count and publish a refusal.
 */
export function createDecideFromMemory<C>(context: PipelineContext): DecideFromMemory<C> {
  return (token, rules) => {
    if (context.closed || token.length > context.maxTokenBytes) return null;
    const now = readClock(context.clock);
    const cached = context.resultCache.peekValid(tokenNames.nameOf(token), now);
    if (cached === undefined || !isKeyInForce(cached, now)) return null;
    // Adapters have not checked the characters. A JWT has no other ones, and an opaque token may.
    if (cached.key === null && !isBearerToken(token)) return null;
    const decision = decide<C>(context, cached, "memory", now, rules);
    if (decision.status !== "valid") return null;
    context.resultCache.countHit();
    return publishHit(context, decision, cached, now);
  };
}
