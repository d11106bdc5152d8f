/** The user whose credentials were right. As JSON it must not exceed 4,096 bytes. */
export interface AuthenticatedUser {
  /** `sub` of the user's tokens: 1 to 255 characters, not the id of a client (RFC 9700 §4.15). */
  readonly subject: string;
  /** Scopes of the session (RFC 6749 §3.3). A request for a refresh can narrow them, never widen them. */
  readonly scopes: readonly string[];
  /** More claims of the access tokens. Claims that the issuer sets itself, such as `exp` or `scope`, are refused. */
  readonly claims?: Readonly<Record<string, unknown>>;
  /** The session ends when it was not refreshed for this long, in milliseconds. It can only shorten `refreshIdleMs`. */
  readonly idleMs?: number | undefined;
  /** The session ends this long after its login, in milliseconds. It can only shorten `refreshAbsoluteMs`. */
  readonly absoluteMs?: number | undefined;
  /**
   * Names the proof of this login, such as the `jti` or `nonce` of an ID token: 1 to 512 characters. Each proof of a
   * subject begins one session, on all processes of the store, and the login is denied when the proof comes again. The
   * issuer knows a proof until a day after its session would have expired. It stores a digest only. A refresh ignores it.
   *
   * A login that is unavailable (503) may have spent its proof, because the store can lose the confirmation of a write.
   * The session then exists without a client, until it expires. The user logs in again with a new proof.
   */
  readonly once?: string | undefined;
}

/**
 * Checks the body of a login request. Returns `null` when the credentials are wrong. An error, or no answer within 10
 * seconds, makes the login unavailable (503), never refused. `signal` aborts when the answer is no longer needed. A call
 * that ignores it keeps its place of `maxAuthenticateCalls` until it settles. For each place, one login of a known client
 * waits for up to 10 seconds, and one of an unknown client. Further logins are 503.
 *
 * @example
 * ```ts
 * import type { Authenticate } from "holdfast/issuer";
 *
 * declare const accounts: { find(email: string, password: string): Promise<{ id: string } | null> };
 *
 * export const authenticate: Authenticate = async ({ email, password }) => {
 *   const account = await accounts.find(String(email), String(password));
 *   return account === null ? null : { subject: account.id, scopes: ["orders:read"], claims: { tenant: "acme" } };
 * };
 * ```
 */
export type Authenticate = (
  credentials: Readonly<Record<string, unknown>>,
  call: { signal: AbortSignal },
) => Promise<AuthenticatedUser | null> | AuthenticatedUser | null;

/**
 * Returns the account that the credentials mean, as a text of at most 512 UTF-16 units. Case and outer blanks do not
 * count. `null` when they mean none. An error makes the login unavailable (503).
 *
 * @example
 * ```ts
 * import type { AccountOf } from "holdfast/issuer";
 *
 * export const account: AccountOf = ({ tenant, staffNumber }) => `${String(tenant)}/${String(staffNumber)}`;
 * ```
 */
export type AccountOf = (credentials: Readonly<Record<string, unknown>>) => string | null;

/** A session whose rights are asked for. Times are epoch milliseconds. */
export interface RenewableSession {
  readonly sessionId: string;
  readonly subject: string;
  /** The scopes of the login, or those that a user of the store has now. */
  readonly scopes: readonly string[];
  /** The claims of the login. */
  readonly claims: Readonly<Record<string, unknown>>;
  /** When the credentials were checked. */
  readonly authAt: number;
  /** Description of the client at login. `null` when there is none. */
  readonly device: string | null;
}

/**
 * Returns the rights that the user of a session has now: scopes and claims of the next access token. The subject must
 * stay the same. `null` ends the session. An error, or no answer within 10 seconds, makes the refresh unavailable (503),
 * and nothing is spent. `signal` aborts when the answer is no longer needed.
 *
 * @example
 * ```ts
 * import type { Renew } from "holdfast/issuer";
 *
 * declare const accounts: { get(id: string): Promise<{ roles: string[]; isActive: boolean } | null> };
 *
 * export const renew: Renew = async ({ subject }) => {
 *   const account = await accounts.get(subject);
 *   return account?.isActive ? { subject, scopes: account.roles, claims: { tenant: "acme" } } : null;
 * };
 * ```
 */
export type Renew = (
  session: RenewableSession,
  call: { signal: AbortSignal },
) => Promise<AuthenticatedUser | null> | AuthenticatedUser | null;
