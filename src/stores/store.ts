import type { AuditEvent } from "../core/events.ts";
import type { LogPosition, Revocation, RevocationEntry } from "../core/revocation.ts";

/*
 * The contract of a store.
 *
 * Every method is asynchronous. Times are epoch milliseconds on the store's own clock, unless the name says seconds.
 * A write is durable when its promise resolves. A read or write that fails rejects with `store_unavailable`, and a
 * rejected write is not acknowledged. Digests, sealed values and MACs are opaque to the store: its reader cannot log
 * in, and its writer cannot mint a token or a session.
 */

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

/** The part of a session that never changes, and the issuer's MAC over it. */
export interface SessionFacts {
  readonly id: string;
  readonly subject: string;
  /** When the credentials were checked. The caller reads it with `now()` before the check. */
  readonly authAt: number;
  /** No token of the session outlives this time. */
  readonly absoluteExpiresAt: number;
  /** The issuer's JSON: scopes, claims, client, audience, device. */
  readonly facts: string;
  readonly mac: string;
}

/** Why a session ended. */
export type EndReason = "logout" | "logout_all" | "password_changed" | "reuse" | "revoked";

/** A session and the state of its chain of refresh tokens. An ended session holds no digest and no sealed value. */
export interface SessionRecord extends SessionFacts {
  /** Number of the current refresh token, counted from 1. */
  readonly generation: number;
  /** Keyed digest of the current refresh token. `""` when the session has ended. */
  readonly currentDigest: string;
  /** Keyed digest of the previous refresh token. `null` in the first generation, or when the session has ended. */
  readonly previousDigest: string | null;
  /** The current refresh token, sealed under the previous one. `null` once it was used or its grace ended. */
  readonly sealedSuccessor: string | null;
  /** When the current token was made, which is the first rotation of the previous one. */
  readonly rotatedAt: number;
  /** End of the previous token's grace period. `null` in the first generation. */
  readonly graceEndsAt: number | null;
  /** End of the grace period of the token before the previous one. `null` in the first two generations. */
  readonly olderGraceEndsAt: number | null;
  /** `iat` of the newest access token, epoch seconds. */
  readonly issuedAtS: number;
  readonly idleExpiresAt: number;
  /** Number of consecutive generations, up to the current one, in which a previous token was presented within grace. */
  readonly graceStreak: number;
  /** Whether the previous token was presented again in the current generation. */
  readonly graceHit: boolean;
  /** `null` while the session has not ended. */
  readonly endedAt: number | null;
  readonly endReason: EndReason | null;
}

/** A session to create, with the keyed digest of its first refresh token. */
export interface NewSession extends SessionFacts {
  readonly currentDigest: string;
  readonly idleMs: number;
}

/** A presented refresh token, and the successor that replaces it if it is the current one. */
export interface Rotation {
  readonly sessionId: string;
  readonly generation: number;
  /** Keyed digest of the presented token. */
  readonly presentedDigest: string;
  readonly successorDigest: string;
  /** The successor, sealed under the presented token. */
  readonly sealedSuccessor: string;
  readonly idleMs: number;
  readonly graceMs: number;
  /** The entry to append, together with the end of the session, when the presentation is reuse. */
  readonly onReuse: Revocation;
}

/** The result of presenting a refresh token. */
export type RotationOutcome =
  /** The token was the current one. The successor replaces it, and `session` carries the new `iat`. */
  | { readonly outcome: "rotated"; readonly session: SessionRecord }
  /** The token was the previous one, within grace. `sealedSuccessor` is the same successor as before. */
  | { readonly outcome: "repeated"; readonly session: SessionRecord; readonly sealedSuccessor: string }
  /** The token is within grace, but its successor was already used. The session is unchanged. */
  | { readonly outcome: "conflict"; readonly session: SessionRecord }
  /** The token was already spent. The session has ended and the revocation is durable. */
  | { readonly outcome: "reuse"; readonly session: SessionRecord }
  /** The session had ended or expired before. It is unchanged. */
  | { readonly outcome: "ended"; readonly session: SessionRecord }
  /** The session does not exist, or never had this token. The store is unchanged. */
  | { readonly outcome: "unknown" };

/**
 * The sessions of an issuer.
 *
 * `endAll` and a revocation of kind `subject` record a cut-off and end the subject's sessions. A session cannot be
 * created or refreshed when its `authAt` is at or before the cut-off, nor created when its `authAt` is in the future.
 * Access tokens issued after the cut-off have a greater `iat` than it covers. Setting the clock back does not lower the
 * cut-off or an `iat`.
 */
export interface SessionStore {
  /** Returns `superseded` when a cut-off applies. Rejects with `invalid_option` when the id is taken. */
  create(
    session: NewSession,
  ): Promise<{ status: "created"; session: SessionRecord } | { status: "superseded" }>;
  /** `null` when the session does not exist. */
  get(id: string): Promise<SessionRecord | null>;
  /** Lists the live sessions of a subject, newest first. */
  listBySubject(subject: string): Promise<readonly SessionRecord[]>;
  /** Presents a refresh token: one atomic command. */
  rotate(rotation: Rotation): Promise<RotationOutcome>;
  /** Appends `revocation`, then ends the session. It appends even when the session has ended or does not exist. */
  end(id: string, reason: EndReason, revocation: Revocation): Promise<void>;
  /**
   * Records the subject's cut-off, appends it to the log and ends the subject's sessions. Returns how many were live.
   */
  endAll(subject: string, reason: EndReason, revocation: { issuer: string; until: number }): Promise<number>;
}

/** A signing key of the issuer. */
export interface SigningKeyRecord {
  readonly kid: string;
  readonly algorithm: string;
  /** The private JWK under AEAD, bound to `kid`, `algorithm` and `createdAt`. */
  readonly sealed: string;
  readonly createdAt: number;
  /** `null` when the key is published but not used yet. */
  readonly activatedAt: number | null;
  /** `null` when the key signs, or will sign later. */
  readonly retiredAt: number | null;
}

/** The signing keys of an issuer. */
export interface KeyStore {
  /** Lists the keys in order of creation. */
  list(): Promise<readonly SigningKeyRecord[]>;
  /** Stores the first keys if the store has no key; the store decides that atomically. Returns the stored keys. */
  initialise(keys: readonly SigningKeyRecord[]): Promise<readonly SigningKeyRecord[]>;
  /**
   * Retires the key `current`, activates the published key and adds `next`. Returns `stale`, and changes nothing, when
   * `current` does not sign or no published key can replace it.
   */
  rotate(current: string, next: SigningKeyRecord): Promise<"rotated" | "stale">;
  /** Replaces the sealed key by one sealed under another secret, if it still is `from`. */
  reseal(kid: string, from: string, sealed: string): Promise<"replaced" | "stale">;
  remove(kid: string): Promise<void>;
}

/** Every revocation in force at a position of the log. */
export interface RevocationSnapshot {
  readonly position: LogPosition;
  /** The entries in force, in order. Entries past their `until` are left out. */
  readonly entries: readonly RevocationEntry[];
}

/** The log after a position. */
export type RevocationTail =
  | { readonly status: "ok"; readonly entries: readonly RevocationEntry[] }
  /**
   * The log does not contain the position: it has another epoch or chain, was trimmed, or is shorter. The reader takes
   * a snapshot.
   */
  | { readonly status: "gap" };

/** The source from which a guard learns of revocations. */
export interface RevocationFeed {
  snapshot(): Promise<RevocationSnapshot>;
  /** Returns the entries after `position`, in order and contiguous. */
  after(position: LogPosition): Promise<RevocationTail>;
  /**
   * Calls `listener` with the entries that this process makes durable: in order, and before `append` resolves. Errors
   * of a listener are ignored. Returns the function that ends the subscription.
   */
  subscribe(listener: (entries: readonly RevocationEntry[]) => void): () => void;
  /** How long a guard waits for a snapshot, ms. Default 5,000. */
  readonly snapshotTimeoutMs?: number;
}

/** The log of revocations. Sequence numbers are contiguous, and each entry's `chain` covers its predecessor. */
export interface RevocationLog extends Omit<RevocationFeed, "snapshotTimeoutMs"> {
  /**
   * Appends a revocation and returns its entry. For a subject, the entry's `before` is at least the store's time in
   * seconds, rounded up. It is also at least the newest `iat` of the subject and `before` of its last cut-off.
   */
  append(revocation: Revocation): Promise<RevocationEntry>;
}

/** The audit trail of an issuer. */
export interface AuditStore {
  append(event: AuditEvent): Promise<void>;
  /** Lists the newest events first. */
  recent(limit: number): Promise<readonly AuditEvent[]>;
}

/** Facts about the store itself, such as its identity and the secret it belongs to. */
export interface MarkerStore {
  /** `null` when the marker has no value. */
  read(name: string): Promise<string | null>;
  /** Sets the marker unless it has a value. Returns the stored value. */
  claim(name: string, value: string): Promise<string>;
  replace(name: string, from: string, to: string): Promise<"replaced" | "stale">;
}

/** All state of an issuer. An issuer has no default store. */
export interface Store {
  /** Kind and location for people, without credentials: `sqlite /var/lib/holdfast/holdfast.db`. */
  readonly description: string;
  readonly users: UserStore;
  readonly sessions: SessionStore;
  readonly keys: KeyStore;
  readonly revocations: RevocationLog;
  readonly audit: AuditStore;
  readonly markers: MarkerStore;
  /** Returns the store's time, epoch ms. Rejects when the store cannot be reached, so it is also the health check. */
  now(): Promise<number>;
  /**
   * Erases expired data. A sealed successor goes as soon as its grace has ended. Sessions, cut-offs and the head of the
   * revocation log go a day after they have expired, because a clock may have been wrong. Audit events go after 90
   * days.
   */
  prune(): Promise<void>;
  /** Finishes the commands it has accepted. Later calls reject with `closed`; a second `close` resolves. */
  close(): Promise<void>;
}

/** Storage for the last good copies of fetched data, kept across restarts. It is as trusted as configuration. */
export interface Snapshots {
  /**
   * Returns the JSON value saved under `name`. `null` when nothing was saved. Rejects with `store_corrupt` when the
   * snapshot is damaged; the caller reports that and continues without it.
   */
  load(name: string): Promise<unknown>;
  /**
   * Saves a JSON value. `name` is 1 to 128 characters of `a-z 0-9 _ - .` and does not start with a dot; any other name
   * rejects with `invalid_option`.
   */
  save(name: string, value: unknown): Promise<void>;
}
