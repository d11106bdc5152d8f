import type { GuardStatus } from "../../../src/guard/status-types.ts";

type AuthorityStatus = NonNullable<GuardStatus["issuers"][number]["authority"]>;

/** The status of an authority whose breaker is open. */
export function failingAuthority(changes: Partial<AuthorityStatus>): AuthorityStatus {
  return {
    kind: "introspection",
    breaker: "open",
    failingMs: 39_000,
    retryAfterMs: 0,
    softTimeoutMs: 80,
    inFlight: 0,
    cause: "authority_unavailable",
    lastError: "timeout",
    ...changes,
  };
}
