import type { AuditEvent } from "../core/events.ts";
import type { LogPosition, RevocationEntry } from "../core/revocation.ts";
import type { SessionRecord, SigningKeyRecord, UserRecord } from "./store.ts";
import type { Cutoff } from "./refresh-rotation.ts";

/** Everything that one store holds, as it stands, for another to hold from now on. */
export interface StoreDump {
  readonly users: Iterable<UserRecord>;
  readonly sessions: Iterable<SessionRecord>;
  readonly cutoffs: Iterable<Cutoff & { readonly subject: string; readonly until: number }>;
  readonly keys: readonly SigningKeyRecord[];
  readonly markers: readonly { readonly name: string; readonly value: string }[];
  /** Oldest first. */
  readonly audit: Iterable<AuditEvent>;
  /** Where the log ends, and what it holds up to there: whoever follows it can go on. */
  readonly log: { readonly end: LogPosition; readonly entries: Iterable<RevocationEntry> };
}
