import type { SigningKey } from "../../jwt/sign.ts";
import { FIRST_PARTY_CLIENT_ID } from "../client-config.ts";
import type { IssuerContext } from "../context.ts";
import { createSessionId } from "./refresh-token.ts";
import { createAccessToken, type DescribedSession } from "./token-response.ts";

/** More refreshes than a session has in years. Its number makes later tokens longer. */
const LAST_GENERATION = 9_999_999;

type NewSession = Pick<DescribedSession, "subject"> &
  Partial<Pick<DescribedSession["content"], "audience">> &
  Pick<DescribedSession["content"], "scopes"> & {
    readonly claims?: DescribedSession["content"]["claims"] | undefined;
  };

/**
 * Judges the longest access token of a session before the store has the session, so that no session begins whose client
 * cannot keep its tokens.
 */
export function checkFirstAccessToken(
  ctx: IssuerContext,
  signingKey: SigningKey,
  { subject, scopes, claims = {}, audience }: NewSession,
): void {
  if (ctx.checkAccessToken === undefined) return;
  const now = ctx.clock.now();
  const { refreshIdleMs: idleMs, refreshAbsoluteMs } = ctx.config;
  const content = {
    scopes,
    claims,
    client: FIRST_PARTY_CLIENT_ID,
    device: null,
    deviceName: null,
    address: null,
    mark: Number.MAX_SAFE_INTEGER,
    ...(audience && { audience }),
  };
  const longest = {
    id: createSessionId(ctx.entropy),
    subject,
    authAt: now,
    absoluteExpiresAt: now + refreshAbsoluteMs,
    idleMs,
    issuedAtS: Math.floor(now / 1000),
    generation: LAST_GENERATION,
    content,
  };
  ctx.checkAccessToken(createAccessToken(ctx, signingKey, longest));
}
