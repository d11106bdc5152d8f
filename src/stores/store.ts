import type { Clock } from "../core/clock.ts";
import type { AuditEvent } from "../core/events.ts";
import type { LogPosition, Revocation, RevocationEntry } from "../core/revocation.ts";

/*
 * What a store promises. Everything is async; dates are epoch milliseconds on the store's own clock unless a
 * name says seconds. A write has reached durable storage when its promise resolves. What could not be read or
 * made durable rejects with `store_unavailable` and did not happen. Digests, sealed values and MACs are opaque
 * to a store: it holds nothing that lets its reader log in, nor its writer mint anything.
 */

export interface UserRecord {
  readonly username: string;
  /** Stable identifier: `sub` of every token. */
  readonly subject: string;
  /** Argon2id, PHC string. */
  readonly passwordHash: string;
  readonly scopes: readonly string[];
  readonly createdAt: number;
  /** Issuer's MAC over all of the above. */
  readonly mac: string;
}

export interface UserStore {
  /** With `onlyFirst`, adds only when there is no user at all; decided atomically. */
  add(user: UserRecord, options?: { onlyFirst?: boolean }): Promise<"added" | "exists">;
  get(username: string): Promise<UserRecord | null>;
  getBySubject(subject: string): Promise<UserRecord | null>;
  /** Replaces the record of the same username and subject if its MAC is still `expectedMac`. */
  replace(user: UserRecord, expectedMac: string): Promise<"replaced" | "stale">;
  /** In order of username, those after `after`. */
  list(options: { after?: string | undefined; limit: number }): Promise<readonly UserRecord[]>;
}

/** The part of a session that never changes, and the issuer's MAC over it. */
export interface SessionFacts {
  readonly id: string;
  readonly subject: string;
  /** When the credentials were about to be checked, store's clock: read with `now()` before checking. */
  readonly authAt: number;
  /** No token of the session outlives this. */
  readonly absoluteExpiresAt: number;
  /** Issuer's JSON: scopes, claims, client, audience, device. */
  readonly facts: string;
  readonly mac: string;
}

export type EndReason = "logout" | "logout_all" | "password_changed" | "reuse" | "revoked";

/** One session and its chain of refresh tokens. */
export interface SessionRecord extends SessionFacts {
  /** Of the current refresh token: counts up from 1, never a clock. */
  readonly generation: number;
  /** Keyed digest of the current refresh token, and of the one before it. */
  readonly currentDigest: string;
  readonly previousDigest: string | null;
  /** The current token, sealed under the previous one; erased when it was refreshed with or grace ended. */
  readonly sealedSuccessor: string | null;
  /** When the current token was made: the first rotation of the previous one. */
  readonly rotatedAt: number;
  /** Until when the previous token, and the one before that, are excused. `null` before there was one. */
  readonly graceEndsAt: number | null;
  readonly olderGraceEndsAt: number | null;
  /** `iat` of the newest access token, epoch seconds. */
  readonly issuedAtS: number;
  readonly idleExpiresAt: number;
  /** Consecutive generations, up to the current one, whose previous token was presented again within grace. */
  readonly graceStreak: number;
  /** Whether the current generation's previous token was presented again. */
  readonly graceHit: boolean;
  readonly endedAt: number | null;
  readonly endReason: EndReason | null;
}

export interface NewSession extends SessionFacts {
  readonly currentDigest: string;
  readonly idleMs: number;
}

/** A refresh token that was presented, and what takes its place if it is the current one. */
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
  /** Appended, with the session's end, when the presentation proves reuse. */
  readonly onReuse: Revocation;
}

export type RotationOutcome =
  /** The presented token was current: its successor is now, with this `iat`. */
  | { readonly outcome: "rotated"; readonly session: SessionRecord }
  /** It was the previous one, within grace: the same successor again. */
  | { readonly outcome: "repeated"; readonly session: SessionRecord; readonly sealedSuccessor: string }
  /** Within grace, but the successor was refreshed with: nothing changed. */
  | { readonly outcome: "conflict"; readonly session: SessionRecord }
  /** Spent: the session was ended and the revocation appended, durably. */
  | { readonly outcome: "reuse"; readonly session: SessionRecord }
  /** Ended or expired before: nothing changed. */
  | { readonly outcome: "ended"; readonly session: SessionRecord }
  /** No such session, or one that never had this token: nothing changed. */
  | { readonly outcome: "unknown" };

/**
 * Subject cut-offs: `endAll` and a `subject` revocation record one and end the subject's sessions. A session whose
 * `authAt` is at or before it can neither be created nor refreshed, nor can one be created whose `authAt` is yet to
 * come; and every later access token gets a greater `iat`. A clock that is set back takes neither a cut-off nor an
 * `iat` back. An ended session holds no digest and no sealed value any more.
 */
export interface SessionStore {
  /** An id that is taken rejects with `invalid_option`. */
  create(
    session: NewSession,
  ): Promise<{ status: "created"; session: SessionRecord } | { status: "superseded" }>;
  get(id: string): Promise<SessionRecord | null>;
  /** Live sessions of a subject, newest first. */
  listBySubject(subject: string): Promise<readonly SessionRecord[]>;
  /** One atomic command: see `RotationOutcome`. */
  rotate(rotation: Rotation): Promise<RotationOutcome>;
  /** Appends `revocation`, then ends the session; an ended or unknown one appends all the same. */
  end(id: string, reason: EndReason, revocation: Revocation): Promise<void>;
  /** Records the subject's cut-off, appends it as a revocation, ends every session of the subject. Returns how many were live. */
  endAll(subject: string, reason: EndReason, revocation: { issuer: string; until: number }): Promise<number>;
}

export interface SigningKeyRecord {
  readonly kid: string;
  readonly algorithm: string;
  /** Private JWK under AEAD, bound to kid, algorithm and createdAt. */
  readonly sealed: string;
  readonly createdAt: number;
  /** `null`: published but not used yet. */
  readonly activatedAt: number | null;
  /** `null`: still signing, or to sign later. */
  readonly retiredAt: number | null;
}

export interface KeyStore {
  /** In order of creation. */
  list(): Promise<readonly SigningKeyRecord[]>;
  /** Puts the first keys, only into an empty store; decided atomically. Returns what the store holds then. */
  initialise(keys: readonly SigningKeyRecord[]): Promise<readonly SigningKeyRecord[]>;
  /** Retires `current`, activates the one published before, adds `next`; only if `current` signs and one is published. */
  rotate(current: string, next: SigningKeyRecord): Promise<"rotated" | "stale">;
  /** Replaces what is sealed, under another secret, if it is still `from`. */
  reseal(kid: string, from: string, sealed: string): Promise<"replaced" | "stale">;
  remove(kid: string): Promise<void>;
}

export interface RevocationSnapshot {
  readonly position: LogPosition;
  /** Everything in force at that position: entries past their `until` are left out. */
  readonly entries: readonly RevocationEntry[];
}

export type RevocationTail =
  | { readonly status: "ok"; readonly entries: readonly RevocationEntry[] }
  /** The position is not in this log: another epoch or chain, trimmed, or beyond its end. Take a snapshot. */
  | { readonly status: "gap" };

/** Where a guard learns of revocations. */
export interface RevocationFeed {
  snapshot(): Promise<RevocationSnapshot>;
  /** What came after `position`, in order and contiguous. */
  after(position: LogPosition): Promise<RevocationTail>;
  /**
   * Entries as this process makes them durable: at once, in order, before `append` resolves. What a listener throws
   * is dropped. Returns what ends it.
   */
  subscribe(listener: (entries: readonly RevocationEntry[]) => void): () => void;
  /** How long a guard waits for a snapshot. Default 5,000. */
  readonly snapshotTimeoutMs?: number;
}

export interface RevocationLog extends Omit<RevocationFeed, "snapshotTimeoutMs"> {
  /**
   * Returns the entry as it stands in the log. For a subject, `before` is raised to the largest of the store's time
   * (rounded up), the subject's newest `iat` and its last cut-off.
   */
  append(revocation: Revocation): Promise<RevocationEntry>;
}

export interface AuditStore {
  append(event: AuditEvent): Promise<void>;
  /** Newest first. */
  recent(limit: number): Promise<readonly AuditEvent[]>;
}

/** Small facts about the store itself: whose it is, under which secret. */
export interface MarkerStore {
  read(name: string): Promise<string | null>;
  /** Writes unless there is a value already; returns the value that stands. */
  claim(name: string, value: string): Promise<string>;
  replace(name: string, from: string, to: string): Promise<"replaced" | "stale">;
}

/** All state of an issuer, in one place. There is no default. */
export interface Store {
  /** What and where, for people; without credentials. Such as `sqlite /var/lib/holdfast/holdfast.db`. */
  readonly description: string;
  readonly users: UserStore;
  readonly sessions: SessionStore;
  readonly keys: KeyStore;
  readonly revocations: RevocationLog;
  readonly audit: AuditStore;
  readonly markers: MarkerStore;
  /** Store's clock, epoch ms. Rejects when the store cannot be reached: also the health check. */
  now(): Promise<number>;
  /**
   * Erases what grace, expiry and retention have ended: sealed successors at once, sessions, cut-offs and the head
   * of the revocation log a day after they are over (a clock may have been wrong), audit events after 90 days.
   */
  prune(): Promise<void>;
  /** Finishes what was accepted. Later calls reject with `closed`. */
  close(): Promise<void>;
}

/** Last good copies of what the network brings, kept over restarts; as trusted as configuration. */
export interface Snapshots {
  /**
   * The JSON value saved under `name`, or `null`. A damaged one rejects with `store_corrupt`: go on without it, and
   * say so.
   */
  load(name: string): Promise<unknown>;
  /** `name`: 1 to 128 of a-z 0-9 _ - . that do not start with a dot; any other rejects with `invalid_option`. */
  save(name: string, value: unknown): Promise<void>;
}

/** What is kept under a name for others to read. */
export interface SharedEntry {
  readonly name: string;
  readonly text: string;
  readonly ttlMs: number;
  /** Takes the place of whatever is there; otherwise only an empty one. */
  readonly replaces: boolean;
}

/**
 * Where guards share what an authority answered. Names and texts mean nothing here: a reader learns nothing that lets him
 * in, and a writer makes no token good. What is lost costs another question, so a place that evicts will do.
 */
export interface SharedAnswers {
  /** The texts under these names, in their order; `null` where there is none. */
  get(names: readonly string[]): Promise<readonly (string | null)[]>;
  set(entries: readonly SharedEntry[]): Promise<void>;
  /** Notes on a list that these names are in use. */
  used(list: string, names: readonly string[]): Promise<void>;
  /** The names on a list, the most recently used first; 10,000 at most. */
  recent(list: string): Promise<readonly string[]>;
  /** Gives up what is under way. */
  close(): Promise<void>;
}

/** `redisAnswers({ … })`. */
export interface SharedAnswersSource {
  /** What and where, for people; without credentials. */
  readonly description: string;
  /** How long a guard waits for it, in milliseconds. */
  readonly timeoutMs: number;
  /** 32 bytes for each purpose: the same for all who share, and not to be had from what is stored. */
  deriveKey(purpose: string): Uint8Array;
  /** Connects in the background, for as long as that takes: nobody waits for it. The guard that opened it closes it. */
  open(context: { readonly clock: Clock; readonly random: () => number }): SharedAnswers;
}
