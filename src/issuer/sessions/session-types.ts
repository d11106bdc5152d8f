/** A live session. Times are epoch milliseconds. */
export interface SessionView {
  /** `sid` of its access tokens. */
  readonly id: string;
  /** `sub` of its access tokens. */
  readonly subject: string;
  /** `client_id` of its access tokens. */
  readonly client: string;
  readonly scopes: readonly string[];
  /** The description of the device at the login, such as a `User-Agent`. `null` when the request had none. */
  readonly device: string | null;
  /** The client's name for the device at the login. `null` when it gave no name. */
  readonly deviceName: string | null;
  /** The address of the login. `null` when it is unknown. */
  readonly address: string | null;
  readonly startedAt: number;
  /** The last refresh, or the login when the session was not refreshed. */
  readonly lastUsedAt: number;
  readonly expiresAt: number;
  /** The number of the current refresh token, counted from 1. */
  readonly generation: number;
  /** How many generations in a row, up to the current one, lost the answer to a refresh and got it again. */
  readonly repeatStreak: number;
}

/** Who ends sessions, for the audit event. */
export interface EndOptions {
  /** For example the `sub` of an administrator. Default: none. */
  readonly actor?: string | undefined;
  /** Address from which the administrator acts. Default: none. */
  readonly source?: string | undefined;
}

/**
 * The sessions of every user. A subject is the `sub` of the tokens: a user of the store has it as `subject`.
 *
 * @example
 * ```ts
 * import type { Issuer } from "holdfast/issuer";
 *
 * declare const issuer: Issuer;
 *
 * const { sessions } = await issuer.sessions.list("ann", { limit: 20 });
 * for (const { id, address } of sessions) {
 *   if (address === "192.0.2.7") await issuer.sessions.end(id, { actor: "support" });
 * }
 * ```
 */
export interface Sessions {
  /**
   * Lists live sessions of the subject, newest first. `limit` is 100 by default, at most 500. `next` is the `after` of the
   * next page, and `null` on the last one. `unreadable` has the ids of sessions whose records are damaged, so that you
   * can end them. Rejects with `invalid_option` when `after` is not such a text.
   */
  list(
    subject: string,
    page?: { after?: string; limit?: number },
  ): Promise<{
    readonly sessions: readonly SessionView[];
    readonly unreadable: readonly string[];
    readonly next: string | null;
  }>;
  /** Returns a live session. `null` when it has ended, or the store has no such session. */
  get(id: string): Promise<SessionView | null>;
  /** Resolves when the end is durable. Returns `unknown` when the store has no such session. */
  end(id: string, options?: EndOptions): Promise<"ended" | "unknown">;
  /** Ends every session of the subject, and resolves when that is durable. Returns how many were live. */
  endAll(subject: string, options?: EndOptions): Promise<number>;
  /**
   * Gives up sessions of the subject that the store has lost. The newest 200,000 audit events name them, with the refresh
   * that was refused for it. It is `invalid_grant` from then on, and no longer 503. Returns how many were given up.
   */
  giveUpLost(subject: string, options?: EndOptions): Promise<number>;
}

/** Why sessions are unavailable one by one, in numbers. */
export interface SessionFaults {
  /** The record of the session cannot be read. The audit has `record_tampered`. */
  readonly damaged: number;
  /** The store has lost the session, or its user. The audit has `store_rolled_back`. */
  readonly lost: number;
}
