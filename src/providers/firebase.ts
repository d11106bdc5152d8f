import { oneOf } from "../core/claim-rules.ts";
import { readOptions } from "../core/options.ts";
import { jwks } from "../guard/keys/jwks.ts";
import type { TrustedIssuer } from "../guard/types.ts";
import { optionalTexts, textOption } from "./read-values.ts";

export interface FirebaseOptions {
  /** The project ID. */
  projectId: string;
  /** The tenants of the Identity Platform whose users are accepted. Default: every user of the project. */
  tenant?: string | readonly string[];
}

const table = { projectId: textOption, tenant: optionalTexts };

/** The keys of ID tokens as a JWK set. The better known address has certificates. */
const KEYS = "https://www.googleapis.com/service_accounts/v1/jwk/securetoken@system.gserviceaccount.com";

/**
 * The ID tokens of a Firebase project, which are its bearer tokens. Throws `invalid_option`.
 *
 * @example
 * ```ts
 * import { createGuard } from "holdfast";
 * import { firebase } from "holdfast/providers";
 *
 * export const guard = createGuard(firebase({ projectId: "example-shop" }));
 * ```
 */
export function firebase(options: FirebaseOptions): TrustedIssuer {
  const { projectId, tenant } = readOptions("firebase", options, table);
  return {
    issuer: `https://securetoken.google.com/${projectId}`,
    audience: projectId,
    keys: jwks(KEYS),
    algorithms: ["RS256"],
    types: ["id"],
    requiredClaims: ["sub", "auth_time"],
    ...(tenant && { claims: { "firebase.tenant": oneOf(...tenant) } }),
  };
}
