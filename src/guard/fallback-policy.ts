import { invalidOption, rejectUnknownOptions, readWholeNumber } from "../core/options.ts";
import { degradedModes, type DegradedMode } from "../core/rules.ts";
import type { GuardOptions } from "./types.ts";

export interface FallbackPolicy {
  readonly mode: DegradedMode;
  /** How long an outage is bridged. */
  readonly maxMs: number;
}

/** The option as it was given, or its default: deny. Throws `invalid_option`. */
export function readFallbackPolicy(value: GuardOptions["degraded"] = "deny"): FallbackPolicy {
  const { mode, maxMs } = typeof value === "string" ? { mode: value } : value;
  if (typeof value !== "string") rejectUnknownOptions("degraded", value, ["mode", "maxMs"]);
  if (!degradedModes.includes(mode)) throw invalidOption("degraded", "deny, cached or local", mode);
  return { mode, maxMs: readWholeNumber("degraded.maxMs", maxMs, { default: 3_600_000, min: 1 }) };
}
