import type { IssuerConfig } from "../config.ts";
import type { AuthenticSession } from "../store/session-record.ts";

/** How long a session may live, in milliseconds. A part that is left out sets no limit. */
export interface LifetimeLimits {
  readonly idleMs?: number | undefined;
  readonly absoluteMs?: number | undefined;
}

/** The shortest of the lifetimes. The idle time is never longer than the whole life. */
export function shortestLifetime(
  longest: Required<LifetimeLimits>,
  ...limits: readonly LifetimeLimits[]
): { readonly idleMs: number; readonly absoluteMs: number } {
  const shortest = (name: keyof LifetimeLimits) =>
    Math.min(...[longest, ...limits].map((limit) => limit[name] ?? Infinity));
  const absoluteMs = shortest("absoluteMs");
  return { idleMs: Math.min(shortest("idleMs"), absoluteMs), absoluteMs };
}

/** The life of an access token of this client. */
export function clientAccessTokenTtlMs(
  { clients, accessTokenTtlMs }: IssuerConfig,
  clientId: string,
): number {
  return clients.find(({ id }) => id === clientId)?.accessTokenTtlMs ?? accessTokenTtlMs;
}

/** The life of an access token of this session. It is not longer than the idle time, which it would otherwise undermine. */
export function sessionAccessTokenTtlMs(
  config: IssuerConfig,
  session: Pick<AuthenticSession, "content" | "idleMs">,
): number {
  return Math.min(clientAccessTokenTtlMs(config, session.content.client), session.idleMs);
}
