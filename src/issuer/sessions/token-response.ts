import { sessionExpiresAt } from "../../core/session.ts";
import { CUTOFF_CLAIM } from "../../core/subject-cutoff.ts";
import type { JwtClaims } from "../../core/verdict.ts";
import { signToken, type SigningKey } from "../../jwt/sign.ts";
import { audienceClaim } from "../audiences.ts";
import { FIRST_PARTY_CLIENT_ID } from "../client-config.ts";
import type { IssuerBase } from "../issuer-base.ts";
import { type AuthenticSession } from "../store/session-record.ts";
import type { TokenResponse } from "../types.ts";
import { sessionGrant, type Grant } from "./grant.ts";
import type { RefreshToken } from "./refresh-token.ts";
import { clientAccessTokenTtlMs, sessionAccessTokenTtlMs } from "./session-lifetime.ts";

const JTI_RANDOM_BYTES = 9;

/** What an access token tells about its session. */
export type DescribedSession = Pick<
  AuthenticSession,
  "id" | "subject" | "authAt" | "absoluteExpiresAt" | "idleMs" | "issuedAtS" | "generation" | "content"
>;

/** The access token that a response for this session contains now. */
export function createAccessToken(
  base: IssuerBase,
  signingKey: SigningKey,
  session: DescribedSession,
  grant: Grant = sessionGrant(base.config, session.content),
): string {
  return signToken(accessTokenClaims(base, session, grant, base.clock.now()), signingKey);
}

export function createTokenResponse(
  base: IssuerBase,
  signingKey: SigningKey,
  session: AuthenticSession,
  refresh: RefreshToken,
  grant: Grant = sessionGrant(base.config, session.content),
): TokenResponse {
  const claims = accessTokenClaims(base, session, grant, base.clock.now());
  return {
    ...accessTokenResponse(base, signingKey, claims),
    refresh_token: refresh.text,
    // The session expires by the clock of the store, and the clock of this process may be ahead of it.
    refresh_token_expires_in: Math.max(0, Math.floor(sessionExpiresAt(session) / 1000) - claims.iat),
    session_id: session.id,
  };
}

/** The access token of a service (RFC 6749 §4.4.3), without session and refresh token. */
export function createClientTokenResponse(
  base: IssuerBase,
  signingKey: SigningKey,
  token: {
    readonly id: string;
    readonly scopes: readonly string[];
    readonly audience: readonly string[];
    /** The mark of the store from before the issue. */
    readonly cutoff: number;
  },
): AccessTokenResponse {
  const { config, entropy, storeTime } = base;
  // A token of a session has the same: guards whose clocks are right refuse a token from the future.
  const iat = Math.floor(storeTime.earliest() / 1000);
  const claims = {
    iss: config.url,
    sub: token.id,
    aud: audienceClaim(token.audience),
    exp: iat + Math.floor(clientAccessTokenTtlMs(config, token.id) / 1000),
    iat,
    jti: entropy.uuid(),
    client_id: token.id,
    [CUTOFF_CLAIM]: token.cutoff,
    scope: token.scopes.join(" "),
  };
  return accessTokenResponse(base, signingKey, claims);
}

type AccessTokenClaims = JwtClaims & { iat: number; exp: number; jti: string; scope: string };
type AccessTokenResponse = Pick<TokenResponse, "access_token" | "token_type" | "expires_in" | "scope">;

function accessTokenResponse(
  { tokensAfterStep }: IssuerBase,
  signingKey: SigningKey,
  claims: AccessTokenClaims,
): AccessTokenResponse {
  tokensAfterStep.record(claims.jti);
  return {
    access_token: signToken(claims, signingKey),
    token_type: "Bearer",
    // The clock of this process may be ahead of `iat`, and a client discards tokens whose life is zero.
    expires_in: Math.max(0, claims.exp - claims.iat),
    scope: claims.scope,
  };
}

/**
 * The claims of RFC 9068 §2.2. `jti` names the session, the generation and this token alone. The session tells a later
 * `iat` than the current time when the clock was set back, and the clock of the store may be ahead. Validators refuse a
 * token from the future, so `iat` is never later than the current time.
 */
function accessTokenClaims(
  { config, entropy }: IssuerBase,
  session: DescribedSession,
  { scopes, audience }: Grant,
  now: number,
): AccessTokenClaims {
  const { claims, client, mark } = session.content;
  const iat = Math.min(session.issuedAtS, Math.floor(now / 1000));
  const exp = iat + Math.floor(sessionAccessTokenTtlMs(config, session) / 1000);
  // A service has not logged in, so its token tells no time of a login (RFC 9068 §2.2.1).
  const isLogin = client === FIRST_PARTY_CLIENT_ID;
  return {
    ...claims,
    [CUTOFF_CLAIM]: mark,
    iss: config.url,
    sub: session.subject,
    aud: audienceClaim(audience),
    exp: Math.min(exp, Math.floor(session.absoluteExpiresAt / 1000)),
    iat,
    jti: `${session.id}.${session.generation}.${entropy.bytes(JTI_RANDOM_BYTES).toString("base64url")}`,
    client_id: client,
    scope: scopes.join(" "),
    sid: session.id,
    ...(isLogin && { auth_time: Math.floor(session.authAt / 1000) }),
  };
}
