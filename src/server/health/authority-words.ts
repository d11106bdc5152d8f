import type { TrustedIssuerStatus } from "../../guard/status-types.ts";

export type AuthorityStatus = NonNullable<TrustedIssuerStatus["authority"]>;

/** The behaviour of a failing authority, in the present perfect. An error is an answer, too. */
export function authorityDoes({
  breaker,
  cause,
  lastError,
}: Pick<AuthorityStatus, "breaker" | "cause" | "lastError">): string {
  if (breaker === "forced open") return "has been cut off by hand";
  const code = /\banswered ([45]\d{2})\b/.exec(lastError ?? "")?.[1];
  if (cause === "authority_misconfigured")
    return `has refused this service itself${code === undefined ? "" : ` (${code})`}`;
  return code === undefined ? "has not answered" : `has answered ${code}`;
}
