/**
 * An event of a guard's background work, published on the channel `holdfast:guard`. The library itself writes no log:
 * logs, metrics and the admin page subscribe to the channels. No event contains a token, a password or a secret.
 */
export interface GuardEvent {
  /** The guard's `name`. */
  readonly guard: string;
  /** The issuer whose tokens the event concerns. `null` when it concerns those of all issuers. */
  readonly issuer: string | null;
  readonly event:
    | "keys_refreshed"
    | "keys_failed"
    | "keys_rejected"
    /** The key set is half as old as it may be, or too old for use, and no other can be fetched. */
    | "keys_stale"
    /** A key left the set. The guard still accepts the tokens that it verified, for a bounded time. */
    | "key_vanished"
    | "keys_distrusted"
    | "snapshot_failed"
    /** The authority did not answer. */
    | "authority_failed"
    /** The authority rejected the guard's own request: an operator must check the configuration. */
    | "authority_misconfigured"
    | "breaker_opened"
    | "breaker_closed"
    /** The guard skips the cache that instances share, because it does not answer. */
    | "shared_failed"
    | "shared_restored"
    /** The shared cache held an entry that cannot be right: a stranger writes to it, or a clock is wrong. */
    | "shared_rejected"
    /** The guard accepts tokens without the authority, as its policy allows. */
    | "degraded_began"
    | "degraded_ended"
    /** The authority denied a token after the guard had accepted it. */
    | "late_no"
    /**
     * The guard refused a token for its type, its issuer, its audience or another claim. The message says what it
     * expects. Published at most once a minute for each reason, issuer and claim.
     */
    | "token_refused"
    | "clock_stepped"
    /** `issuerFor` failed, or the keys of an unproven issuer cannot be used. Reported at most once a minute. */
    | "issuer_failed"
    /** The guard no longer keeps an issuer that it had found: `issuerFor` does not name it, or it was not used. */
    | "issuer_retired"
    /** Several guards of one name and issuer are open: the application creates a guard for each request. */
    | "guards_repeated"
    | "revocations_synced"
    | "revocations_failed"
    | "revocations_gap"
    /** The guard begins to refuse tokens as unavailable, because new revocations have not arrived for too long. */
    | "revocations_stale"
    /** A listener of `guard.watch` threw or rejected. The guard and other listeners do not notice. */
    | "listener_failed";
  /** For people. The wording may change at any time. */
  readonly message: string;
}

/** The outcome of one call of `validate` or `authorize`, published on `holdfast:decision`. */
export interface DecisionEvent {
  readonly guard: string;
  /** The issuer whose keys or authority vouch for the token. `null` when no key and no authority vouches for the token. */
  readonly issuer: string | null;
  readonly status: "valid" | "invalid" | "unavailable" | "forbidden";
  /** The invalid reason or the unavailable cause. `null` for other decisions. */
  readonly detail: string | null;
  readonly from: "memory" | "shared" | "verification" | null;
  /** The grounds of a valid decision. `null` for other decisions. */
  readonly basis: "verification" | "authority" | null;
  /** Whether the guard accepted the token without the authority, as its policy allows. */
  readonly degraded: boolean;
  /** `null` for 255 of 256 decisions from memory, and for tokens that the guard did not look into. */
  readonly durationMs: number | null;
}

/** A change of a live connection, published on `holdfast:connection`. */
export interface ConnectionEvent {
  /** The guard's name. */
  readonly guard: string;
  readonly event:
    | "opened"
    /** A new token replaced the connection's token. */
    | "refreshed"
    | "closed"
    /** A listener of the connection's `onChange` threw or rejected. The connection stays open. */
    | "listener_failed"
    /** The limit on connections left no room for another one. */
    | "limited";
  /** The close code. `null` when the peer closed the connection, and for other events. */
  readonly code: number | null;
  /** Whether the guard accepted the token without the authority, as its policy allows. */
  readonly degraded: boolean;
}

/** An incident inside an issuer, for its operator, published on `holdfast:issuer`. */
export interface IssuerEvent {
  /** The issuer's `name`. */
  readonly issuer: string;
  readonly event:
    | "store_failed"
    /** The store answers again. After a failed write, a write has succeeded. */
    | "store_restored"
    | "authenticate_failed"
    | "renew_failed"
    /** `onEvent` of the application threw, rejected or took too long, or is so slow that events are dropped. */
    | "hook_failed"
    | "audit_failed"
    | "unexpected_error"
    /** An access token is longer than a cookie may be. The login or refresh in cookie mode got 503 and wrote nothing. */
    | "token_too_large"
    /** Users whose names differ only in case were found. Each logs in under the exact spelling of the name. */
    | "login_names_collide"
    /** A login came without the address of its client, so login limits count by account only. Reported once. */
    | "login_source_unknown"
    | "login_limits_local"
    /**
     * A proxy seems to be missing in the list of trusted proxies. All its clients are one source, which is reported once.
     * What it asks `/verify` under a policy is 403, which is reported at most once a minute.
     */
    | "proxy_not_trusted"
    /** Keys and users are sealed under the first secret now. Remove the others when the last session has expired. */
    | "secret_replaced"
    /** The store has sessions or users under a secret that this process lacks. Their requests are 503. */
    | "secret_missing"
    /** The clocks of this machine and of the store differ by more than five seconds. */
    | "clock_differs"
    /** A refresh token proved that the store lost writes. Reported at most once a minute. */
    | "store_rolled_back";
  readonly message: string;
}

/** A change in how a store can be used, for its operator, published on `holdfast:store`. */
export interface StoreEvent {
  /** The kind and place of the store, without credentials. */
  readonly store: string;
  readonly event:
    /** The store does not answer. The message says why. */
    | "connection_failed"
    | "connection_restored"
    /** The configuration of the servers puts acknowledged writes at risk. */
    | "durability_lost"
    | "durability_restored"
    /** A newer version has raised the format of the store. This process writes nothing more. */
    | "store_newer"
    /** A failover had lost acknowledged writes. This process has applied its own again. */
    | "writes_restored";
  readonly message: string;
}

/** The kinds of audit events. */
export type AuditKind =
  | "login"
  | "login_refused"
  | "login_limited"
  | "client_refused"
  | "refresh_reuse"
  | "refresh_shadowed"
  | "refresh_forked"
  | "store_rolled_back"
  | "session_ended"
  | "subject_ended"
  | "token_revoked"
  | "key_revoked"
  | "password_changed"
  | "user_added"
  | "users_imported"
  | "user_disabled"
  | "user_enabled"
  | "user_removed"
  | "user_scopes_changed"
  | "keys_rotated"
  | "keys_exported"
  | "keys_imported"
  | "keys_distrusted"
  | "keys_refreshed"
  | "breaker_forced"
  | "data_restored"
  | "secrets_forgotten"
  | "record_tampered";

/** A fact for an auditor. The issuer stores it, and publishes it on `holdfast:audit`. */
export interface AuditEvent {
  /** Epoch ms. */
  readonly at: number;
  readonly kind: AuditKind;
  readonly subject: string | null;
  readonly session: string | null;
  /** The address that the request came from, as the server saw it. */
  readonly source: string | null;
  /** The administrator who acted: `sub` of a token, or `command line`. `null` when nobody acted for somebody else. */
  readonly actor: string | null;
  readonly detail: string | null;
}
