/** The headings of `ops/runbook.md` that a headline leads to. */
export const runbookSections = [
  "HoldfastStoreFailing",
  "HoldfastStoreSlow",
  "HoldfastClockStepped",
  "HoldfastUnavailableBurnFast",
  "HoldfastKeysStale",
  "HoldfastKeysUnreachable",
  "HoldfastKeyVanished",
  "HoldfastRevocationsStale",
  "HoldfastBreakerOpen",
  "HoldfastDegraded",
  "HoldfastAuthorityMisconfigured",
  "HoldfastRequestsFailing",
  "HoldfastStoreRolledBack",
  "HoldfastRecordTampered",
  "HoldfastLoginAttack",
  "ProxyNotTrusted",
] as const;

export type RunbookSection = (typeof runbookSections)[number];
