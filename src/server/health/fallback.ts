import type { DegradedMode } from "../../core/rules.ts";
import type { GuardStatus, TrustedIssuerStatus } from "../../guard/status-types.ts";
import type { RevocationAgeBounds } from "../../gateway/policy.ts";
import type { GuardFile } from "../guard-file.ts";
import type { Settings } from "../settings.ts";

/** The mode in which the guard decides without an answer of the authority, and its bound. */
export interface FallbackPolicy {
  readonly mode: DegradedMode;
  readonly maxMs: number;
  /** For how long a remembered result counts without another check: `memory.ttlMs` of the guard. */
  readonly memoryTtlMs: number;
}

/** The default of `maxMs` of a guard. */
const DEFAULT_MAX_MS = 3_600_000;
/** The default of `memory.ttlMs` of a guard. */
const DEFAULT_MEMORY_TTL_MS = 300_000;

/** The policy of a service without such a setting. */
export const defaultFallback: FallbackPolicy = {
  mode: "deny",
  maxMs: DEFAULT_MAX_MS,
  memoryTtlMs: DEFAULT_MEMORY_TTL_MS,
};

/** The fallback policy that the guard of the service was created with. */
export function readFallback({ degraded }: Pick<Settings, "degraded">, guardFile: GuardFile): FallbackPolicy {
  const chosen = guardFile.options.degraded ?? degraded ?? "deny";
  const memoryTtlMs = guardFile.options.memory?.ttlMs ?? DEFAULT_MEMORY_TTL_MS;
  if (typeof chosen === "string") return { mode: chosen, maxMs: DEFAULT_MAX_MS, memoryTtlMs };
  return { mode: chosen.mode, maxMs: chosen.maxMs ?? DEFAULT_MAX_MS, memoryTtlMs };
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

/**
 * For how long some remembered tokens still pass, while new ones need an authority that does not answer. 0 when the guard
 * remembers none, or when every result is older than the fault.
 */
export function rememberedLeftMs(
  { keys, authority }: TrustedIssuerStatus,
  { memoryTtlMs }: FallbackPolicy,
  { memory }: Pick<GuardStatus, "memory">,
): number {
  if (!keys.usable || authority === null || memory.valid.size === 0) return 0;
  if (authority.failingMs === null && authority.breaker !== "forced open") return 0;
  return Math.max(0, memoryTtlMs - (authority.failingMs ?? 0));
}
