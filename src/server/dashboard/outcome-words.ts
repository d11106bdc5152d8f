import type { OutcomeState } from "../../dashboard/wire-state.ts";
import type { GuardStatus } from "../../guard/status-types.ts";
import type { FallbackPolicy } from "../health/fallback.ts";
import { worstProvider } from "../health/component-health.ts";
import type { Outcome, OutcomeHealth, ServiceHealth } from "../health/service-health.ts";

/** The kinds of answers, with what users get. */
export function describeOutcomes(
  { outcomes, components }: Pick<ServiceHealth, "outcomes" | "components">,
  status: Pick<GuardStatus, "issuers">,
  { mode }: Pick<FallbackPolicy, "mode">,
): Record<string, OutcomeState> {
  const words = (name: Outcome, { status: state, because }: OutcomeHealth): string => {
    if (state === "ok") return "answered";
    if (state === "unavailable") return "all answer 503";
    if (because.includes("gateway")) return "all answer 403 through the proxy";
    if (because.includes("clock")) return "some answer 503";
    if (name === "ownTokens" && components.revocations.reason === "revocations_stale")
      return "some routes answer 503";
    if (name === "providerTokens" && because.includes("provider")) return providerWords(status, mode);
    return because.includes("answers") ? "some fail or wait" : "some answer 503";
  };
  const told = Object.entries(outcomes) as [Outcome, OutcomeHealth][];
  return Object.fromEntries(
    told.map(([name, outcome]) => [name, { ...outcome, words: words(name, outcome) }]),
  );
}

/** A provider whose tokens still get an answer lacks its authority, or new keys. */
function providerWords(status: Pick<GuardStatus, "issuers">, mode: FallbackPolicy["mode"]): string {
  const provider = worstProvider(status);
  // The outcome is not `unavailable`, so tokens pass from memory.
  if (provider?.state === "unavailable") return "new tokens answer 503";
  const isClosed = provider?.authority?.breaker === "closed";
  if (isClosed && mode === "deny" && provider.authority?.failingMs != null)
    return "some new tokens answer 503";
  if (provider?.authority?.failingMs != null) return "answered without the authority";
  return provider?.authority == null ? "new keys answer 503" : "answered, new keys by the authority";
}
