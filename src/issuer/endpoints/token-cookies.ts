import type { IssuerContext } from "../context.ts";
import type { TokenResponse } from "../types.ts";

/** The cookie of the access token. The prefix keeps other hosts from setting it (RFC 6265bis §4.1.3.2). */
export const ACCESS_COOKIE = "__Host-hf_at";
/** The cookie of the refresh token. It is sent to `/auth` only, so it cannot have the prefix `__Host-`. */
export const REFRESH_COOKIE = "__Secure-hf_rt";

/**
 * The cookie with the id of the session. Another host cannot set it, as it could set the cookie of the refresh token. So
 * the refresh token in a cookie counts only beside the id of its session.
 */
export const SESSION_COOKIE = "__Host-hf_sid";

/** Browsers drop a cookie whose name and value are longer (RFC 6265bis §5.6). */
const MAX_COOKIE_BYTES = 4096;

type Tokens = Pick<
  TokenResponse,
  "access_token" | "refresh_token" | "expires_in" | "refresh_token_expires_in" | "session_id"
>;

/** Whether browsers keep a cookie with this access token. */
export function fitsCookie(accessToken: string): boolean {
  return ACCESS_COOKIE.length + 1 + accessToken.length <= MAX_COOKIE_BYTES;
}

/** The values of `Set-Cookie` that keep the tokens. `null` when a token is too large for a cookie. */
export function createTokenCookies({ config }: IssuerContext, tokens: Tokens): string[] | null {
  const access = `${ACCESS_COOKIE}=${tokens.access_token}`;
  const refresh = `${REFRESH_COOKIE}=${tokens.refresh_token}`;
  if (Math.max(access.length, refresh.length) > MAX_COOKIE_BYTES) return null;
  const lasting = `Max-Age=${tokens.refresh_token_expires_in}; ${attributes(config)}`;
  return [
    `${access}; Path=/; Max-Age=${tokens.expires_in}; ${attributes(config)}`,
    `${refresh}; Path=${refreshPath(config)}; ${lasting}`,
    `${SESSION_COOKIE}=${tokens.session_id}; Path=/; ${lasting}`,
  ];
}

/** The values of `Set-Cookie` that remove the cookies. A browser finds a cookie by name, path and host. */
export function expireTokenCookies({ config }: IssuerContext): string[] {
  return [
    `${ACCESS_COOKIE}=; Path=/; Max-Age=0; ${attributes(config)}`,
    `${REFRESH_COOKIE}=; Path=${refreshPath(config)}; Max-Age=0; ${attributes(config)}`,
    `${SESSION_COOKIE}=; Path=/; Max-Age=0; ${attributes(config)}`,
  ];
}

function attributes({ cookies }: IssuerContext["config"]): string {
  return `HttpOnly; Secure; SameSite=${cookies?.sameSite === "lax" ? "Lax" : "Strict"}`;
}

/** The path of `/auth` as browsers see it. A proxy may strip the path of the issuer's URL. */
function refreshPath({ url }: IssuerContext["config"]): string {
  return `${new URL(url).pathname.replace(/\/+$/, "")}/auth`;
}
