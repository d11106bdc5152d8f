import { narrowScope } from "../../core/scopes.ts";
import { narrowAudience } from "../audiences.ts";
import { FIRST_PARTY_CLIENT_ID } from "../client-config.ts";
import type { IssuerConfig } from "../config.ts";
import type { SessionContent } from "../store/session-record.ts";

/** The rights of an access token, and its audiences. */
export interface Grant {
  readonly scopes: readonly string[];
  readonly audience: readonly string[];
}

/** The rights that a request asks for. A part that is left out means everything that was granted. */
export interface GrantRequest {
  readonly scopes?: readonly string[] | undefined;
  /** The values of `resource` (RFC 8707 §2). */
  readonly resources?: readonly string[] | undefined;
}

/**
 * The grant of a session: its scopes, and the audiences of the issuer to which its login was narrowed. A service loses a
 * scope that its entry no longer has.
 */
export function sessionGrant(config: IssuerConfig, { scopes, audience, client }: SessionContent): Grant {
  const service = config.clients.filter(({ id }) => id === client);
  const mayHave = (scope: string) => service.some((entry) => entry.scopes.includes(scope));
  return {
    scopes: client === FIRST_PARTY_CLIENT_ID ? scopes : scopes.filter(mayHave),
    audience:
      audience === undefined ? config.audience : config.audience.filter((one) => audience.includes(one)),
  };
}

/** Narrows a grant to what the request asks for (RFC 6749 §6, RFC 8707 §2.2). */
export function narrowGrant(
  granted: Grant,
  request: GrantRequest,
):
  | { readonly status: "ok"; readonly grant: Grant }
  | { readonly status: "invalid_scope" }
  | { readonly status: "invalid_target" } {
  const scopes = narrowScope(granted.scopes, request.scopes);
  if (scopes === null) return { status: "invalid_scope" };
  const audience = narrowAudience(granted.audience, request.resources);
  return audience === null ? { status: "invalid_target" } : { status: "ok", grant: { scopes, audience } };
}

/** Whether the request asks for less than everything. */
export function isNarrowing({ scopes, resources = [] }: GrantRequest): boolean {
  return scopes !== undefined || resources.length > 0;
}
