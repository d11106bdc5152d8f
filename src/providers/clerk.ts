import { oneOf } from "../core/claim-rules.ts";
import { flagOption, invalidValue } from "../core/option-values.ts";
import { isExactOrigin } from "../core/origin.ts";
import { option, readOptions } from "../core/options.ts";
import { jwks } from "../guard/keys/jwks.ts";
import type { TrustedIssuer } from "../guard/types.ts";
import { domainOption } from "./read-values.ts";

export interface ClerkOptions {
  /** The domain of the Frontend API: `clerk.example.com`, or `example-1.clerk.accounts.dev`. */
  domain: string;
  /** The origins of your own pages. Tokens of a page on another origin (`azp`) are refused. */
  origins: string | readonly string[];
  /** Whether to accept tokens without `azp`, which native applications get. Default false. */
  native?: boolean;
}

const table = {
  domain: domainOption,
  origins: option((name, value) => {
    const origins: unknown[] = Array.isArray(value) ? value : [value];
    if (origins.length > 0 && origins.every(isExactOrigin)) return origins;
    throw invalidValue(name, "exact origins such as https://app.example.com", value);
  }),
  native: flagOption(false),
};

/**
 * The session tokens of a Clerk instance. A session that is not complete yet (`sts: "pending"`) is refused. Throws
 * `invalid_option`.
 *
 * @example
 * ```ts
 * import { createGuard } from "holdfast";
 * import { clerk } from "holdfast/providers";
 *
 * export const guard = createGuard(
 *   clerk({ domain: "clerk.example.com", origins: ["https://app.example.com"] }),
 * );
 * ```
 */
export function clerk(options: ClerkOptions): TrustedIssuer {
  const { domain, origins, native } = readOptions("clerk", options, table);
  const isActive = { sts: oneOf("active", null) };
  return {
    issuer: `https://${domain}`,
    ...(native
      ? { audience: null, claims: { ...isActive, azp: oneOf(...origins, null) } }
      : { audience: origins, audienceFrom: "azp", claims: isActive }),
    keys: jwks(`https://${domain}/.well-known/jwks.json`),
    // Tokens of JWT templates and of machines have no session.
    requiredClaims: ["sub", "sid"],
  };
}
