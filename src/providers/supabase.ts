import { oneOf } from "../core/claim-rules.ts";
import { flagOption } from "../core/option-values.ts";
import { readOptions } from "../core/options.ts";
import { jwks } from "../guard/keys/jwks.ts";
import type { TrustedIssuer } from "../guard/types.ts";
import { optionalTexts, urlOption } from "./read-values.ts";

export interface SupabaseOptions {
  /** The address of the project: `https://abcdefghijklmnopqrst.supabase.co`. */
  url: string;
  /** The OAuth clients (`client_id`) of other applications whose tokens are accepted as well. Default: none. */
  clients?: string | readonly string[];
  /** Whether users who signed in anonymously are accepted. Default false. */
  anonymous?: boolean;
}

const table = { url: urlOption, clients: optionalTexts, anonymous: flagOption(false) };

/**
 * The sessions of a Supabase project with signing keys. The API keys `anon` and `service_role` are refused. Throws
 * `invalid_option`.
 *
 * @example
 * ```ts
 * import { createGuard } from "holdfast";
 * import { supabase } from "holdfast/providers";
 *
 * export const guard = createGuard(supabase({ url: "https://abcdefghijklmnopqrst.supabase.co" }));
 * ```
 */
export function supabase(options: SupabaseOptions): TrustedIssuer {
  const { url, clients = [], anonymous } = readOptions("supabase", options, table);
  const issuer = `${url}/auth/v1`;
  return {
    issuer,
    audience: "authenticated",
    keys: jwks(`${issuer}/.well-known/jwks.json`),
    requiredClaims: ["sub", "session_id"],
    sessionFrom: "session_id",
    claims: { client_id: oneOf(...clients, null), ...(!anonymous && { is_anonymous: oneOf(false, null) }) },
  };
}
