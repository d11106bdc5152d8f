import type { JwtClaims, ValidVerdict } from "../core/verdict.ts";

/** The shape of `AuthInfo` in the MCP SDK. Tools get it as `authInfo`. */
export interface McpAuthInfo<C = JwtClaims> {
  readonly token: string;
  /** The claim `client_id`, or else `azp` or `cid`. `""` when the token names no client. */
  readonly clientId: string;
  readonly scopes: string[];
  /** Seconds since 1970. Left out for a token that never expires. */
  readonly expiresAt?: number;
  readonly resource: URL;
  readonly extra: {
    readonly subject: string;
    readonly claims: Readonly<C>;
    /** The cause of a decision without the authority. `null` when the authority was not needed or answered. */
    readonly degraded: string | null;
    readonly [name: string]: unknown;
  };
}

/** Converts a verdict to the shape that the MCP SDK passes to tools. */
export function toAuthInfo<C>(token: string, verdict: ValidVerdict<C>, resource: string): McpAuthInfo<C> {
  const { claims, subject, scopes, expiresAt, degraded } = verdict;
  return {
    token,
    clientId: clientOf(claims),
    scopes: [...scopes],
    ...(expiresAt !== Infinity && { expiresAt: Math.floor(expiresAt / 1000) }),
    resource: new URL(resource),
    extra: { subject, claims, degraded: degraded?.cause ?? null },
  };
}

function clientOf(claims: object): string {
  const { client_id: clientId, azp, cid } = claims as JwtClaims;
  const client = clientId ?? azp ?? cid;
  return typeof client === "string" ? client : "";
}
