import type { AuditEvent } from "../core/events.ts";
import type { MetricFamily } from "../core/metrics.ts";
import type { LogPosition, Revocation, RevocationEntry } from "../core/revocation.ts";
import type { JwtClaims } from "../core/verdict.ts";
import type { AttemptStore } from "./attempt-store.ts";
import type { SessionStore } from "./session-store.ts";
import type { UserStore } from "./user-store.ts";

/*
 * The contract of a store.
 *
 * Every method is asynchronous. Times are epoch milliseconds on the store's own clock, unless the name says seconds.
 * A write is durable when its promise resolves. A read or write that fails rejects with `store_unavailable`, and a
 * rejected write is not acknowledged. Digests, sealed values and MACs are opaque to the store: its reader cannot log
 * in, and its writer cannot mint a token or a session.
 */

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

/** A part of a snapshot. All parts of one snapshot have the position of the first one. */
export interface SnapshotPage extends RevocationSnapshot {
  /** Names the next page. `null` on the last page. */
  readonly next: string | null;
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
  /**
   * Returns one page of a snapshot, so that a large one takes neither one long read nor its whole memory. `cursor` is `next`
   * of the page before, or `null` for the first page. The pages may be in any order. Entries that are appended after the
   * first page was read may be missing, because they are after its position. Rejects with `invalid_option` for a cursor that
   * is malformed or of another log. Readers use `snapshot` when the method is missing.
   */
  snapshotPage?(cursor: string | null): Promise<SnapshotPage>;
  /** Returns the entries after `position`, in order and contiguous. */
  after(position: LogPosition): Promise<RevocationTail>;
  /**
   * Calls `listener` with the entries that this process makes durable: in order, and before `append` resolves. Errors
   * of a listener are ignored. Returns the function that ends the subscription.
   */
  subscribe(listener: (entries: readonly RevocationEntry[]) => void): () => void;
  /** How long a guard waits for a snapshot, ms. Default 5,000. */
  readonly snapshotTimeoutMs?: number;
  /**
   * A guard calls it once it has verified an access token for the first time. An issuer in the same process learns by it
   * that the client has the token (law 8). Errors are ignored.
   */
  tokenAccepted?(claims: Readonly<JwtClaims>): void;
  /**
   * Whether an issuer in the same process issued the token after its wall clock was set back. A guard asks it about a
   * token whose `iat` lies in the time that the clock shows twice.
   */
  isIssuedAfterStep?(claims: Readonly<JwtClaims>): boolean;
}

/** The log of revocations. Sequence numbers are contiguous, and each entry's `chain` covers its predecessor. */
export interface RevocationLog extends Omit<
  RevocationFeed,
  "snapshotTimeoutMs" | "tokenAccepted" | "isIssuedAfterStep"
> {
  /**
   * Appends a revocation and returns its entry. For a subject, the entry's `before` is at least the store's time in
   * seconds, rounded up. It is also at least the newest `iat` of the subject and `before` of its last cut-off.
   */
  append(revocation: Revocation): Promise<RevocationEntry>;
}

/** Some audit events, the newest first. */
export interface AuditPage {
  readonly events: readonly AuditEvent[];
  /** Names the page of older events. `null` when there are none. */
  readonly next: string | null;
}

/** The audit trail of an issuer. */
export interface AuditStore {
  append(event: AuditEvent): Promise<void>;
  /** Lists the newest events first. */
  recent(limit: number): Promise<readonly AuditEvent[]>;
  /**
   * Lists at most `limit` events. `before` is `next` of the page of newer events, or `null` for the first page. Events
   * that are appended meanwhile move no page. An event may be listed twice when older ones are erased meanwhile.
   */
  page(limit: number, before: string | null): Promise<AuditPage>;
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
  /**
   * What puts acknowledged writes at risk, for health pages: a configuration that became less durable.
   * `null` or missing when nothing does.
   */
  readonly problem?: string | null;
  readonly users: UserStore;
  readonly sessions: SessionStore;
  readonly keys: KeyStore;
  readonly revocations: RevocationLog;
  readonly audit: AuditStore;
  readonly markers: MarkerStore;
  /** Counts login attempts over all processes. Without it, each process counts by itself. */
  readonly attempts?: AttemptStore;
  /** Numbers that only the store knows, for the metrics of its issuer. Left out when there are none. */
  metrics?(): readonly MetricFamily[];
  /** Returns the store's time, epoch ms. Rejects when the store cannot be reached, so it is also the health check. */
  now(): Promise<number>;
  /**
   * Erases expired data. A sealed successor goes at its `lostAnswerEndsAt`. Sessions, cut-offs and the head of the
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
