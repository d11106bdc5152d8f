import { HoldfastError } from "../../core/errors.ts";
import type { ClientConfig } from "../client-config.ts";
import type { IssuerContext } from "../context.ts";
import type { RequestInfo, TokenResponse } from "../types.ts";
import type { Grant } from "./grant.ts";
import { checkAndBeginSession } from "./login.ts";
import { shortestLifetime } from "./session-lifetime.ts";

/**
 * Begins a session of a service that gets refresh tokens. Its subject is the service, and only the service can refresh
 * it (RFC 6749 §6).
 */
export async function beginClientSession(
  ctx: IssuerContext,
  { id, refreshTokens = {} }: ClientConfig,
  { scopes }: Pick<Grant, "scopes">,
  requestInfo: RequestInfo,
): Promise<TokenResponse> {
  const { refreshIdleMs, refreshAbsoluteMs } = ctx.config;
  const { idleMs = refreshIdleMs, absoluteMs = refreshAbsoluteMs } = refreshTokens;
  const client = { id, lifetime: shortestLifetime({ idleMs, absoluteMs }) };
  const service = { subject: id, scopes };
  const tokens = await checkAndBeginSession(
    ctx,
    requestInfo,
    async () => await Promise.resolve(service),
    client,
  );
  if (tokens === null || tokens === "used")
    throw new HoldfastError("store_unavailable", "the session could not be created");
  return tokens;
}
