/** A user of the issuer's own user table. */
export interface UserRecord {
  /** The name as it was added, in its normal form. It never changes. */
  readonly username: string;
  /**
   * The name under which logins find the user, for example without case. The issuer derives it from `username`. `null`
   * in a record that an older version wrote.
   */
  readonly loginKey: string | null;
  /** Stable identifier: `sub` of every token. */
  readonly subject: string;
  /** A PHC string or another known spelling: Argon2id, or the imported hash of a user who has not logged in since. */
  readonly passwordHash: string;
  readonly scopes: readonly string[];
  readonly createdAt: number;
  /** When an administrator disabled the user. `null` while the user may log in. */
  readonly disabledAt: number | null;
  /** The issuer's MAC over all other fields but `loginKey`. */
  readonly mac: string;
}

/** The users of an issuer. */
export interface UserStore {
  /**
   * Adds a user. Returns `exists` when the username, the login key or the subject is taken. With `onlyFirst` it also
   * returns `exists` when the store has any user; the store decides that atomically.
   */
  add(user: UserRecord, options?: { onlyFirst?: boolean }): Promise<"added" | "exists">;
  /** `null` when no user has this name. */
  get(username: string): Promise<UserRecord | null>;
  /**
   * `null` when no user has this login key. Several users can have it, because `replace` does not refuse a key that is
   * taken. The first one in order of username is returned then.
   */
  getByLoginKey(loginKey: string): Promise<UserRecord | null>;
  /**
   * The subject of the user of this name, also when its record cannot be read. `null` when the store cannot tell. Whoever
   * removes such a user needs it to end the sessions.
   */
  subjectOf?(username: string): Promise<string | null>;
  /** `null` when no user has this subject. */
  getBySubject(subject: string): Promise<UserRecord | null>;
  /** Replaces the record of the same username and subject if its MAC still is `expectedMac`. */
  replace(user: UserRecord, expectedMac: string): Promise<"replaced" | "stale">;
  /**
   * Removes the user if the MAC of the record still is `expectedMac`. A record that cannot be read is listed with an empty
   * MAC, and an empty `expectedMac` removes only such a record.
   */
  remove(username: string, expectedMac: string): Promise<"removed" | "stale">;
  /** Lists users in order of username, starting with the first one after `after`. */
  list(options: { after?: string | undefined; limit: number }): Promise<readonly UserRecord[]>;
}
