import type { GuardStatus, SharedStatus, TrustedIssuerStatus } from "../../../src/guard/status-types.ts";
import type { Moment } from "../../../src/server/dashboard/frame-columns.ts";
import { MetricReadings } from "../../../src/server/dashboard/metric-readings.ts";

export const FIRST = "https://first.example";

/** The status of an issuer without a fault, and without an authority. */
export const wellIssuer: TrustedIssuerStatus = {
  issuer: FIRST,
  state: "ready",
  keys: {
    kind: "jwks",
    usable: true,
    kids: ["a"],
    ageMs: 60_000,
    maxStaleMs: 86_400_000,
    fresh: true,
    vanished: [],
    coolingDownMs: 0,
    lastError: null,
  },
  authority: null,
  revocations: null,
  degradedDecisions: 0,
  clockDifferenceMs: null,
};

export const sharedStatus: SharedStatus = {
  description: "redis 127.0.0.1:6380",
  breaker: "closed",
  hits: 0,
  misses: 0,
  rejected: 0,
  skipped: 0,
  lost: 0,
  warmed: 0,
  lastError: null,
};

interface MomentParts {
  readonly issuers?: readonly TrustedIssuerStatus[];
  readonly shared?: SharedStatus | null;
  /** The issuers whose tokens are accepted without their authority. */
  readonly degraded?: readonly string[];
}

/** A moment of a guard that trusts these issuers. */
export function fixedMoment({ issuers = [wellIssuer], shared = null, degraded = [] }: MomentParts): Moment {
  const samples = degraded.map((issuer) => ({ labels: { issuer }, value: 1 }));
  const family = { name: "holdfast_degraded", help: "", kind: "gauge", samples } as const;
  const cache = { hits: 0, misses: 0, size: 0, bytes: 0, maxBytes: 0, evictions: 0 };
  const status: GuardStatus = {
    name: "default",
    state: "ready",
    issuers,
    foundIssuers: null,
    memory: { valid: cache, invalid: cache },
    shared,
    inFlight: 0,
    clockSteppedMs: 0,
  };
  const process = {
    rssBytes: 0,
    heapBytes: 0,
    cpuShare: 0,
    loopDelayP99Ms: null,
    storeBytes: null,
    diskFreeBytes: null,
  };
  return {
    metrics: new MetricReadings([{ metrics: () => [family] }]),
    status,
    health: null,
    process,
    healthProbes: 0,
  };
}
