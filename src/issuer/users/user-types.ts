/** A user of the store. Times are epoch milliseconds. */
export interface UserView {
  readonly username: string;
  /** `sub` of the user's tokens. */
  readonly subject: string;
  readonly scopes: readonly string[];
  readonly createdAt: number;
  /** When an administrator disabled the user. `null` while the user may log in. */
  readonly disabledAt: number | null;
}

/** A user to add. */
export interface NewUser {
  readonly username: string;
  /** 8 to 1,024 bytes. Either this or `passwordHash` is required. */
  readonly password?: string;
  /** The hash of another system, as in `ImportedUser`. */
  readonly passwordHash?: string;
  /** Default: none. */
  readonly scopes?: readonly string[];
}

/** A user of another system, with the hash of the password. */
export interface ImportedUser {
  readonly username: string;
  /**
   * bcrypt, scrypt, PBKDF2 or Argon2: a PHC string, or the spelling of passlib, Django or Werkzeug. It is replaced by
   * Argon2id after the next login.
   */
  readonly passwordHash: string;
  /** Default: none. */
  readonly scopes?: readonly string[];
  /** Default: `false`. */
  readonly disabled?: boolean;
  /** The line of a file, for messages. Default: the index of the user. */
  readonly line?: number;
}

/** Options of `import`. */
export interface ImportOptions extends UserActionOptions {
  /** Decides about a user whose name exists already: nothing is imported, or the existing user stays. Default: `"refuse"`. */
  readonly existing?: "refuse" | "skip";
}

/** Numbers of users. */
export interface ImportResult {
  readonly added: number;
  readonly skipped: number;
}

/** Options of every action on a user. */
export interface UserActionOptions {
  /** Who acts, for the audit event: for example the `sub` of an administrator. Default: none. */
  readonly actor?: string | undefined;
  /** Address from which the administrator acts, for the audit event. Default: none. */
  readonly source?: string | undefined;
}

/** Options of an action that can take the rights of an administrator away. */
export interface UserRightsOptions extends UserActionOptions {
  /** Act even when no enabled user with the scope `holdfast:admin` is left. Default: `false`. */
  readonly force?: boolean;
}

/**
 * The users of the store. Names are compared as `loginNames` says. Each action is an audit event, and is durable when its
 * promise resolves. An action that failed with `store_unavailable` may have happened in part; repeating it completes it.
 *
 * @example
 * ```ts
 * import type { Issuer } from "holdfast/issuer";
 *
 * declare const issuer: Issuer;
 *
 * await issuer.users.add({ username: "ann", password: "correct horse", scopes: ["orders:read"] });
 * const outcome = await issuer.users.disable("ann", { actor: "support" });
 * if (outcome === "last_administrator") throw new Error("ann is the only administrator");
 * ```
 */
export interface Users {
  /**
   * Adds a user. With `onlyFirst`, adds only to a store without users. Rejects with `invalid_option` when the name, the
   * password or a scope is not allowed.
   */
  add(user: NewUser, options?: UserActionOptions & { onlyFirst?: boolean }): Promise<"added" | "exists">;
  /**
   * Adds users with the password hashes of another system. Rejects with `invalid_option`, and imports nothing, when a
   * name, a hash or a scope is not allowed; the message names each such row. An import that failed with
   * `store_unavailable` is completed by another one with `existing: "skip"`.
   */
  import(users: Iterable<ImportedUser>, options?: ImportOptions): Promise<ImportResult>;
  /** Returns the user that this login name means. `null` when there is none. */
  get(username: string): Promise<UserView | null>;
  /** Lists users in order of their name, after the name `after`. `limit` is 100 by default, at most 1,000. */
  list(options?: { after?: string; limit?: number }): Promise<readonly UserView[]>;
  /** Sets the password and ends every session of the user. */
  setPassword(
    username: string,
    password: string,
    options?: UserActionOptions,
  ): Promise<"changed" | "unknown">;
  /**
   * Sets the scopes. A scope that is added is in the next access token. When a scope is lost, every session of the user
   * ends, unless `sessions` is `"keep"`: then the scope is lost at the next refresh.
   */
  setScopes(
    username: string,
    scopes: readonly string[],
    options?: UserRightsOptions & { sessions?: "end" | "keep" },
  ): Promise<"changed" | "unknown" | "last_administrator">;
  /** Refuses every login of the user from now on, and ends every session. A login looks like one with a wrong password. */
  disable(
    username: string,
    options?: UserRightsOptions,
  ): Promise<"disabled" | "unknown" | "last_administrator">;
  /** Lets a disabled user log in again. Sessions that ended stay ended. */
  enable(username: string, options?: UserActionOptions): Promise<"enabled" | "unknown">;
  /**
   * Ends every session of the user, then removes the user. With `removed_sessions_unknown` the record was damaged and no
   * session was ended: the store could not tell the subject, or the damaged record has the subject of another user.
   */
  remove(
    username: string,
    options?: UserRightsOptions,
  ): Promise<"removed" | "removed_sessions_unknown" | "unknown" | "last_administrator">;
}
