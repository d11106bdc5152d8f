import { invalidOption, onlyKnown, wholeNumber } from "../core/options.ts";
import type { DegradedMode, GuardOptions } from "./types.ts";

/** From strict to lax. */
export const degradedModes: readonly DegradedMode[] = ["deny", "cached", "local"];

export interface DegradedPolicy {
  readonly mode: DegradedMode;
  /** How long an outage is bridged. */
  readonly maxMs: number;
}

/** The option as it was given, or its default: deny. Throws `invalid_option`. */
export function degradedPolicy(value: GuardOptions["degraded"] = "deny"): DegradedPolicy {
  const { mode, maxMs } = typeof value === "string" ? { mode: value } : value;
  if (typeof value !== "string") onlyKnown("degraded", value, ["mode", "maxMs"]);
  if (!degradedModes.includes(mode)) throw invalidOption("degraded", "deny, cached or local", mode);
  return { mode, maxMs: wholeNumber("degraded.maxMs", maxMs, { default: 3_600_000, min: 1 }) };
}
