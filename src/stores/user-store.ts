/** A user of the issuer's own user table. */
export interface UserRecord {
  readonly username: string;
  /** Stable identifier: `sub` of every token. */
  readonly subject: string;
  /** Argon2id, PHC string. */
  readonly passwordHash: string;
  readonly scopes: readonly string[];
  readonly createdAt: number;
  /** The issuer's MAC over all other fields. */
  readonly mac: string;
}

/** The users of an issuer. */
export interface UserStore {
  /**
   * Adds a user. Returns `exists` when the username or the subject is taken. With `onlyFirst` it also returns
   * `exists` when the store has any user; the store decides that atomically.
   */
  add(user: UserRecord, options?: { onlyFirst?: boolean }): Promise<"added" | "exists">;
  /** `null` when no user has this name. */
  get(username: string): Promise<UserRecord | null>;
  /** `null` when no user has this subject. */
  getBySubject(subject: string): Promise<UserRecord | null>;
  /** Replaces the record of the same username and subject if its MAC still is `expectedMac`. */
  replace(user: UserRecord, expectedMac: string): Promise<"replaced" | "stale">;
  /** Lists users in order of username, starting with the first one after `after`. */
  list(options: { after?: string | undefined; limit: number }): Promise<readonly UserRecord[]>;
}
