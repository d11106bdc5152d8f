import { invalidOption, onlyKnown } from "../core/options.ts";
import type { Call, Rules } from "./types.ts";

const known: readonly string[] = ["scopes", "maxRevocationAgeMs", "signal"];

/** Throws `invalid_option`: a misspelt rule would be no rule. */
export function checkRules(rules: Rules & Call): void {
  onlyKnown("authorize", rules, known);
  const { scopes, maxRevocationAgeMs } = rules;
  if (scopes !== undefined && !Array.isArray(scopes))
    throw invalidOption("scopes", "an array of strings", scopes);
  if (maxRevocationAgeMs !== undefined && !(maxRevocationAgeMs >= 0)) {
    throw invalidOption("maxRevocationAgeMs", "a number of at least 0", maxRevocationAgeMs);
  }
}
