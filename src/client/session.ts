import type { Ask } from "./service.ts";
import type { AccessTokenOptions, AuthRecord, AuthState, ClientClock, Trouble } from "./types.ts";

/** Decides about a change of the record. `undefined` changes nothing. */
export type Change = (record: AuthRecord) => AuthRecord | undefined;

/** The session of one page: its copy of the record, its state, and the one refresh at a time. */
export interface Session {
  readonly clock: ClientClock;
  readonly ask: Ask;
  readonly hasCookies: boolean;
  record: AuthRecord;
  state: AuthState;
  ready: Promise<unknown>;
  /** Called after each change of the state, and with `true` when the page becomes visible, comes back or is online again. */
  readonly listeners: Set<(isAwake?: boolean) => void>;
  /** `null` unless the last refresh failed. */
  trouble: Trouble | null;
  /** The monotonic time before which no refresh is sent. */
  retryAt: number;
  /** Tells the other pages to read the storage. They get the record itself when the storage has failed. */
  postMessage: (unstored?: AuthRecord) => void;
  random(): number;
  /** Whether a server accepts the token long enough for a request. */
  isUsable(record: AuthRecord, minLifeMs?: number): boolean;
  /** The time until the token should be refreshed, in milliseconds. */
  dueInMs(record: AuthRecord): number;
  /** Runs `work` under a Web Lock. In cookie mode there is one, because each answer sets or clears the same cookies. */
  locked<T>(suffix: string, work: () => Promise<T>): Promise<T>;
  update: (change?: Change) => Promise<AuthRecord>;
  refresh: (seen: AuthRecord) => Promise<AuthRecord>;
  /** Returns a record with a usable token. Rejects with `Unavailable` or `Ended`. */
  obtain(options?: AccessTokenOptions): Promise<AuthRecord>;
}
