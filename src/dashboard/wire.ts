/*
 * The contract between the page of the dashboard and the admin listener. The server and the browser both load it, so it
 * has types and constant tables only. Times are epoch milliseconds.
 *
 * | route             | right  | request                                 | answer                      |
 * | ----------------- | ------ | --------------------------------------- | --------------------------- |
 * | GET /             | none   |                                         | the shell of the page       |
 * | GET /?plain       | reader |                                         | the page without JavaScript |
 * | GET /dashboard.js | none   |                                         | the script of the page      |
 * | GET /dashboard.css | none  |                                         | its style                   |
 * | GET /events       | reader | `Last-Event-ID`                         | the stream                  |
 * | GET /api/settings | reader |                                         | `SettingsAnswer`            |
 * | GET /api/audit    | reader | `AuditQuery` in the URL                 | `AuditAnswer`               |
 * | POST /api/explain | reader | `ExplainRequest`, on this machine       | `Explanation`               |
 * | POST /api/login   | reader | `LoginRequest`                          | `SignedIn`                  |
 * | POST /api/refresh | reader | `RenewRequest`                          | `SignedIn`                  |
 * | POST /api/logout  | reader | `RenewRequest`                          | 204                         |
 * | GET /api/users    | admin  | `UsersQuery` in the URL                 | `UsersAnswer`               |
 * | GET /api/sessions | admin  | `SessionsQuery` in the URL              | `SessionsAnswer`            |
 * | POST /api/actions | admin  | `ActionRequest`                         | `ActionAnswer`              |
 *
 * A reader needs nothing, or the token of the listener where it has one, in the header `Listener-Token`. A request
 * without it is 401 `listener_token`. An admin also sends an access token with the scope `holdfast:admin` as
 * `Authorization: Bearer`. A request without it is 401 or 403. Every error is a `WireError`. An answer 503
 * has `Retry-After`.
 *
 * The stream is `text/event-stream`: `snapshot` first, then `frame` each second, and `event` as they come. The data of a
 * message is one JSON value of its type in `StreamMessages`, and every message has an `id`. A request with `Last-Event-ID`
 * gets a snapshot with `resumed: true` of what it missed. From another process, or after an hour, it gets a whole one.
 */
import type { State, TimelineEvent } from "./wire-state.ts";

/** The header that carries the token of the listener. */
export const LISTENER_TOKEN_HEADER = "Listener-Token";
/** A stream is lost when no message comes for this long. */
export const STREAM_SILENCE_MS = 5_000;
/** The rows of the history: one each second for an hour. */
export const SECOND_ROWS = 3_600;
/** The rows of the history: one each minute for a day. */
export const MINUTE_ROWS = 1_440;

/** The names of the messages of the stream, and their data. */
export interface StreamMessages {
  readonly snapshot: Snapshot;
  readonly frame: Frame;
  readonly event: TimelineEvent;
}

/** The first message of a stream. */
export interface Snapshot {
  readonly instance: Instance;
  /** The columns in order: `frameFields`, `invalid.<reason>PerS`, then `issuerFields` of each issuer as `issuer.0.state`. */
  readonly fields: readonly string[];
  /** The issuers that have columns, in order. */
  readonly issuers: readonly string[];
  /** Whether histories and events are only those after `Last-Event-ID`, to be appended to the known ones. */
  readonly resumed: boolean;
  readonly seconds: PackedHistory;
  readonly minutes: PackedHistory;
  /** The events in memory, oldest first. */
  readonly events: readonly TimelineEvent[];
  readonly frame: Frame;
}

/**
 * Rows of a history, oldest first. `data` is deflate-raw as base64. Inside are little-endian arrays: `rows` times as
 * float64, then for each field `rows` values as float32. NaN stands for no value.
 */
export interface PackedHistory {
  readonly rows: number;
  readonly data: string;
}

/** The process that answers. */
export interface Instance {
  /** Each start of a process has another one. */
  readonly id: string;
  readonly version: string;
  readonly runtime: string;
  readonly host: string;
  readonly pid: number;
  readonly startedAt: number;
  readonly url: string;
  readonly audience: readonly string[];
  readonly roles: readonly ("issuer" | "gateway")[];
  /** Whether `/api/login` takes users of this service. */
  readonly canSignIn: boolean;
  /** Whether `/api/explain` answers this client. */
  readonly canExplain: boolean;
}

/** One second of the service. */
export interface Frame {
  readonly at: number;
  /** The order is that of `Snapshot.fields`. `null` when there was nothing to measure. */
  readonly values: readonly (number | null)[];
  readonly state: State;
}
