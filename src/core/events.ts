import { channel, type Channel } from "node:diagnostics_channel";

/**
 * What Holdfast says about itself, on `node:diagnostics_channel`. Logs, metrics and the admin page subscribe;
 * the library itself writes nowhere. No event holds a token, a password or a secret.
 */
export interface GuardEvent {
  /** The guard's `name`. */
  readonly guard: string;
  /** Whose tokens it concerns; `null` where it concerns all. */
  readonly issuer: string | null;
  readonly event:
    | "keys_refreshed"
    | "keys_failed"
    | "keys_rejected"
    /** The set is too old for comfort, or for use, and no other can be fetched. */
    | "keys_stale"
    /** A key left the set and still serves what it proved, for a bounded time. */
    | "key_vanished"
    | "keys_distrusted"
    | "snapshot_failed"
    /** The authority did not answer. */
    | "authority_failed"
    /** It refused us: somebody has to look at the configuration. */
    | "authority_misconfigured"
    | "breaker_opened"
    | "breaker_closed"
    /** What instances share is skipped: it does not answer. */
    | "shared_failed"
    | "shared_restored"
    /** Found there, and not believed: somebody writes to it, or a clock is wrong. */
    | "shared_rejected"
    /** Tokens are being let in without the authority, as the policy allows. */
    | "degraded_began"
    | "degraded_ended"
    /** The authority said no to a token after it was let in. */
    | "late_no"
    | "clock_stepped"
    | "revocations_synced"
    | "revocations_failed"
    | "revocations_gap";
  readonly message: string;
}

/** One call of `validate` or `authorize`. */
export interface DecisionEvent {
  readonly guard: string;
  readonly status: "valid" | "invalid" | "unavailable" | "forbidden";
  /** The invalid reason or unavailable cause; `null` otherwise. */
  readonly detail: string | null;
  readonly from: "memory" | "shared" | "verification" | null;
  /** Let in without the authority, as the policy allows. */
  readonly degraded: boolean;
}

/** A live connection. */
export interface ConnectionEvent {
  /** The guard's name. */
  readonly guard: string;
  readonly event:
    | "opened"
    /** Another token took its token's place. */
    | "refreshed"
    | "closed"
    /** There was no room for it. */
    | "limited";
  /** Close code; `null` when the peer went, and for other events. */
  readonly code: number | null;
  /** Let in without the authority, as the policy allows. */
  readonly degraded: boolean;
}

/** What went wrong inside an issuer, for whoever runs it. */
export interface IssuerEvent {
  /** The issuer's `name`. */
  readonly issuer: string;
  readonly event:
    | "store_failed"
    | "authenticate_failed"
    | "audit_failed"
    | "unexpected_error"
    /** Keys and users were sealed again under the first secret; the others may go when the last session has expired. */
    | "secret_replaced";
  readonly message: string;
}

export type AuditKind =
  | "login"
  | "login_refused"
  | "login_limited"
  | "refresh_reuse"
  | "refresh_shadowed"
  | "session_ended"
  | "subject_ended"
  | "token_revoked"
  | "key_revoked"
  | "password_changed"
  | "user_added"
  | "keys_rotated"
  | "keys_exported"
  | "keys_imported"
  | "data_restored"
  | "record_tampered";

/** Something an auditor asks about. Stored, and published. */
export interface AuditEvent {
  /** Epoch ms. */
  readonly at: number;
  readonly kind: AuditKind;
  readonly subject: string | null;
  readonly session: string | null;
  /** Where the request came from, as the server saw it. */
  readonly source: string | null;
  readonly detail: string | null;
}

export const guardEvents: Channel<GuardEvent> = channel("holdfast:guard") as Channel<GuardEvent>;
export const decisionEvents: Channel<DecisionEvent> = channel("holdfast:decision") as Channel<DecisionEvent>;
export const connectionEvents: Channel<ConnectionEvent> = channel(
  "holdfast:connection",
) as Channel<ConnectionEvent>;
export const issuerEvents: Channel<IssuerEvent> = channel("holdfast:issuer") as Channel<IssuerEvent>;
export const auditEvents: Channel<AuditEvent> = channel("holdfast:audit") as Channel<AuditEvent>;
