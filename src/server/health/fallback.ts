import type { DegradedMode } from "../../core/rules.ts";
import type { TrustedIssuerStatus } from "../../guard/status-types.ts";
import type { RevocationAgeBounds } from "../../gateway/policy.ts";
import type { GuardFile } from "../guard-file.ts";
import type { Settings } from "../settings.ts";

/** The mode in which the guard decides without an answer of the authority, and its bound. */
export interface FallbackPolicy {
  readonly mode: DegradedMode;
  readonly maxMs: number;
}

/** The default of `maxMs` of a guard. */
const DEFAULT_MAX_MS = 3_600_000;

/** The policy of a service without such a setting. */
export const defaultFallback: FallbackPolicy = { mode: "deny", maxMs: DEFAULT_MAX_MS };

/** The fallback policy that the guard of the service was created with. */
export function readFallback({ degraded }: Pick<Settings, "degraded">, guardFile: GuardFile): FallbackPolicy {
  const chosen = guardFile.options.degraded ?? degraded ?? "deny";
  if (typeof chosen === "string") return { mode: chosen, maxMs: DEFAULT_MAX_MS };
  return { mode: chosen.mode, maxMs: chosen.maxMs ?? DEFAULT_MAX_MS };
}

/** The default of `maxRevocationAgeMs` of a guard that does not accept tokens in degraded mode. */
const MAX_REVOCATION_AGE_MS = 60_000;

/** The age at which every route refuses a view of revocations: that of the guard, or less by the policy. */
export function revocationLimitMs(
  { mode, maxMs }: FallbackPolicy,
  { widestMs }: RevocationAgeBounds,
): number {
  return Math.min(widestMs, mode === "deny" ? MAX_REVOCATION_AGE_MS : maxMs);
}

/** For how long tokens will be accepted without the authority, if it does not answer. */
export function fallbackLeftMs({ authority }: TrustedIssuerStatus, { maxMs }: FallbackPolicy): number {
  return maxMs - (authority?.failingMs ?? 0);
}
