import { invalidOption, onlyKnown } from "../core/options.ts";
import { degradedModes } from "./degraded-policy.ts";
import type { Call, Rules } from "./types.ts";

const known: readonly string[] = ["scopes", "maxRevocationAgeMs", "degraded", "signal"];

/** Throws `invalid_option`: a misspelt rule would be no rule. */
export function checkRules(rules: Rules & Call): void {
  onlyKnown("authorize", rules, known);
  const { scopes, maxRevocationAgeMs, degraded } = rules;
  if (scopes !== undefined && !Array.isArray(scopes))
    throw invalidOption("scopes", "an array of strings", scopes);
  if (maxRevocationAgeMs !== undefined && !(maxRevocationAgeMs >= 0)) {
    throw invalidOption("maxRevocationAgeMs", "a number of at least 0", maxRevocationAgeMs);
  }
  if (degraded !== undefined && !degradedModes.includes(degraded)) {
    throw invalidOption("degraded", "deny, cached or local", degraded);
  }
}
