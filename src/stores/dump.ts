import type { AuditEvent } from "../core/events.ts";
import type { LogPosition, RevocationEntry } from "../core/revocation.ts";
import type { SessionRecord } from "./session-store.ts";
import type { SigningKeyRecord } from "./store.ts";
import type { UserRecord } from "./user-store.ts";
import type { Cutoff } from "./cutoff.ts";

/** The complete contents of a store, for a move to another store. */
export interface StoreDump {
  readonly users: Iterable<UserRecord>;
  readonly sessions: Iterable<SessionRecord>;
  /** The number of the last cut-off of any subject. */
  readonly lastCutoff: number;
  readonly cutoffs: Iterable<Cutoff & { readonly subject: string; readonly until: number }>;
  readonly keys: readonly SigningKeyRecord[];
  readonly markers: readonly { readonly name: string; readonly value: string }[];
  /** Oldest first. */
  readonly audit: Iterable<AuditEvent>;
  /** The entries of the log and its end. The new store keeps the epoch, so readers of the log need no snapshot. */
  readonly log: { readonly end: LogPosition; readonly entries: Iterable<RevocationEntry> };
}
