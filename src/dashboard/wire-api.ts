/* Requests and answers of the dashboard's API. */
import type { AuditRow } from "./wire-state.ts";

/** Every error, as in OAuth. */
export interface WireError {
  readonly error: string;
  readonly error_description?: string;
}

export interface SettingsAnswer {
  readonly settings: readonly SettingView[];
}

export interface SettingView {
  readonly name: string;
  /** The form of a value, which completes "the setting must be …". */
  readonly form: string;
  /** The effective value as text. For a secret, its fingerprint. `null` when it is not set and has no default. */
  readonly value: string | null;
  readonly isSecret: boolean;
  /** `file`: the file that `NAME_FILE` names. */
  readonly source: "environment" | "file" | "default" | "unset";
  /** The behaviour without the setting. `null` when it has a default. */
  readonly otherwise: string | null;
}

/** Every member is optional. Texts must be equal, but `text` is searched for in all members. */
export interface AuditQuery {
  readonly kind?: string;
  readonly subject?: string;
  readonly session?: string;
  readonly text?: string;
  readonly limit?: string;
}

export interface AuditAnswer {
  /** Newest first. */
  readonly events: readonly AuditRow[];
  /** How many of the newest events were searched. */
  readonly searched: number;
  /** Whether the store has events that were not searched. */
  readonly hasMore: boolean;
  /** The kinds that exist, for the filter. */
  readonly kinds: readonly string[];
}

export interface UsersQuery {
  /** Names after this one. */
  readonly after?: string;
  readonly limit?: string;
}

export interface UserRow {
  readonly username: string;
  readonly subject: string;
  readonly scopes: readonly string[];
  readonly createdAt: number;
  readonly disabledAt: number | null;
}

export interface UsersAnswer {
  readonly users: readonly UserRow[];
  /** `after` of the next page. `null` on the last one. */
  readonly next: string | null;
}

/** One of `subject`, `username` and `session`. */
export interface SessionsQuery {
  readonly subject?: string;
  readonly username?: string;
  readonly session?: string;
  readonly after?: string;
  readonly limit?: string;
}

export interface SessionRow {
  readonly id: string;
  readonly subject: string;
  readonly client: string;
  readonly scopes: readonly string[];
  readonly device: string | null;
  readonly deviceName: string | null;
  readonly address: string | null;
  readonly startedAt: number;
  readonly lastUsedAt: number;
  readonly expiresAt: number;
  /** How often the session was refreshed. 0 after the login. */
  readonly refreshes: number;
  /** How many times in a row the answer to a refresh was lost and given again. */
  readonly streak: number;
}

export interface SessionsAnswer {
  /** The user whose sessions these are. `null` when a search for one session found none that can be read. */
  readonly subject: string | null;
  readonly sessions: readonly SessionRow[];
  /** The ids of sessions whose records in the store are damaged. */
  readonly unreadable: readonly string[];
  readonly next: string | null;
}

export interface LoginRequest {
  readonly username: string;
  readonly password: string;
}

export interface RenewRequest {
  readonly refreshToken: string;
}

/** Kept in the memory of the page only. The session ends after an hour without use. */
export interface SignedIn {
  readonly accessToken: string;
  readonly expiresAt: number;
  readonly refreshToken: string;
  readonly subject: string;
}

export interface ExplainRequest {
  /** The token may follow `Bearer`. */
  readonly token: string;
}

export interface Explanation {
  readonly status: "valid" | "invalid" | "unavailable" | "unknown";
  /** One sentence: the decision of this guard now, and its reason. */
  readonly text: string;
  /** The reason of an invalid token or the cause of an unavailable one. */
  readonly reason: string | null;
  readonly kind: "jwt" | "opaque" | "malformed";
  /** `null` unless the token is a JWT. */
  readonly header: Readonly<Record<string, unknown>> | null;
  readonly claims: Readonly<Record<string, unknown>> | null;
  /** The checks are in the order of the steps. */
  readonly checks: readonly ExplainCheck[];
  /** `exp`, `iat`, `nbf` and `auth_time`, if the token has them. */
  readonly times: readonly { readonly claim: string; readonly at: number; readonly words: string }[];
}

export interface ExplainCheck {
  readonly name: string;
  readonly outcome: "pass" | "fail" | "unknown";
  readonly words: string;
}

export type Action =
  | { readonly action: "end-session"; readonly session: string }
  | { readonly action: "end-subject"; readonly subject: string }
  | { readonly action: "revoke-key"; readonly kid: string }
  | { readonly action: "rotate-keys" }
  /** `forMs` bounds `open` and `closed`: 10 seconds to 1 hour. */
  | {
      readonly action: "breaker";
      readonly issuer: string;
      readonly state: "open" | "closed" | "auto";
      readonly forMs?: number;
    }
  | { readonly action: "refresh-keys"; readonly issuer: string };

/** With `dryRun`, nothing happens and the answer names what would happen. */
export type ActionRequest = Action & { readonly dryRun?: boolean };

export interface ActionAnswer {
  readonly done: boolean;
  /** The words are the same before and after it: `ends 3 sessions of ada`. */
  readonly effect: string;
  /** Whether the store kept the audit event. `null` for a dry run. */
  readonly audited: boolean | null;
}
