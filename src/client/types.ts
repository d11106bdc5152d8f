/** The clocks and timers of the client. The clock of `holdfast/testing` has the same methods. */
export interface ClientClock {
  /** The wall clock, in epoch milliseconds. */
  now(): number;
  /** Milliseconds since an arbitrary moment. It never decreases. */
  monotonic(): number;
  /** Calls `fn` once after `ms` milliseconds. Returns the function that cancels the timer. */
  after(ms: number, fn: () => void): () => void;
}

/** The reason why the service could not be asked. The user stays logged in. */
export type TroubleCause =
  | "offline"
  | "network"
  | "timeout"
  | "http_429"
  | "http_4xx"
  | "http_5xx"
  | "not_json"
  | "conflict";

/** A refresh that failed. Times are epoch milliseconds of the device. */
export interface Trouble {
  readonly cause: TroubleCause;
  /** The time of the first failure in a row. */
  readonly since: number;
  /** The client sends no refresh before this time. */
  readonly retryAt: number;
}

/** The state that a page shows. The object stays the same until something changes. */
export type AuthState =
  | { readonly status: "loading" }
  | {
      readonly status: "in";
      readonly sessionId: string;
      readonly subject: string;
      /** The time at which the access token expires, by the clock of the device, in epoch milliseconds. */
      readonly expiresAt: number;
      /** Whether the session outlives the page. `memory` when the device refuses to store it. */
      readonly persistence: "device" | "memory";
      /** `null` unless the last refresh failed. The user is still logged in. */
      readonly trouble: Trouble | null;
    }
  /** The cause is `null` before the first login. */
  | { readonly status: "out"; readonly cause: OutCause | null };

/** The reason why a session ended. */
export type OutCause = "logout" | "invalid_grant" | "expired";

/** The answer of `POST /auth/login`, or of `/oauth/token`. The two tokens are missing in cookie mode. */
export interface TokenAnswer {
  readonly access_token?: string;
  readonly refresh_token?: string;
  /** Seconds. */
  readonly expires_in: number;
  /** Seconds. */
  readonly refresh_token_expires_in?: number;
  readonly session_id: string;
  /** The user. The access token contains it in token mode. */
  readonly subject?: string;
}

/** A session of the user, as `GET /auth/sessions` lists it. Times are epoch seconds. */
export interface SessionInfo {
  readonly session_id: string;
  /** Whether it is the session of this client. */
  readonly current: boolean;
  readonly device: string | null;
  readonly device_name: string | null;
  readonly address: string | null;
  readonly auth_time: number;
  readonly last_refreshed_at: number;
  readonly expires_at: number;
}

/** The content of the storage. An application treats it as opaque. */
export interface AuthRecord {
  /** Grows with every change, by a random amount. Two records with the same number are the same. */
  readonly n: number;
  /** The access token. Empty in cookie mode, and after the end of the session. */
  readonly access: string;
  /** The refresh token. Missing in cookie mode, and empty after the end of the session. */
  readonly refresh?: string | undefined;
  readonly sid: string;
  readonly sub: string;
  /** The life of the access token from `at` on, in milliseconds. 0 unless the user is logged in. */
  readonly life: number;
  /** How long the session lives from `at` on without a refresh, in milliseconds. 0 when the service does not tell. */
  readonly idle: number;
  /** The time at which the request of this token started, by the clock of the device. */
  readonly at: number;
  /** The reason why the last session ended, while `life` is 0. `null` before the first login. */
  readonly out: OutCause | null;
  /** The logouts that the service has not confirmed yet. */
  readonly outbox: readonly PendingLogout[];
}

/** A logout that the service has not confirmed yet. */
export interface PendingLogout {
  /** The refresh token of the session. Missing in cookie mode. */
  readonly refresh?: string | undefined;
  /** Whether all sessions of the user end. */
  readonly everywhere?: boolean | undefined;
}

/** Keeps the record of one session. An implementation may lose it, and must not return a part of it. */
export interface AuthStorage {
  /** Whether other pages of this origin read the same record, and it outlives the page. */
  readonly persistence: "device" | "memory";
  /**
   * Reads the record, lets `change` decide and writes its result, as one transaction. `change` is synchronous, and
   * returns `undefined` to write nothing. The record is `null` before the first login. Resolves with the stored record.
   */
  update(change: (record: AuthRecord | null) => AuthRecord | undefined): Promise<AuthRecord | null>;
}

/** Options of `createAuthClient`. */
export interface AuthClientOptions {
  /** The URL of the auth service. */
  baseUrl: string;
  /** Further origins that may receive the access token. The page's own origin gets it only when it is listed. */
  origins?: readonly string[];
  /** The name of the session on this device. Several accounts side by side need several names. Default: `auth`. */
  key?: string;
  /** `cookie` when the service keeps the tokens in cookies that no script can read. Default: `token`. */
  mode?: "token" | "cookie";
  /** Where the session is kept: `device` is IndexedDB. Default: `device`. */
  storage?: "device" | "memory" | AuthStorage;
  /** A token is refreshed this long before it expires, and never before four fifths of its life. Default: 300,000. */
  bufferMs?: number;
  /** The longest time that a request of the client may take. Default: 10,000. */
  timeoutMs?: number;
  /** The longest time that a refresh waits for the refresh of another tab. Default: 4,000. */
  lockWaitMs?: number;
  /** Default: `globalThis.fetch`, read at each call. */
  fetch?: typeof fetch;
  /** Default: the clocks of the device, read at each call. */
  clock?: ClientClock;
  /** Returns a number from 0 to 1. Default: `Math.random`, read at each call. */
  random?: () => number;
}

/** Options of `accessToken`. */
export interface AccessTokenOptions {
  /** Refreshes although the current token is usable. */
  fresh?: boolean;
  /** Refreshes when the token lives less than this. */
  minLifeMs?: number;
}

/** Options of `connect`. */
export interface ConnectOptions {
  /** Called with each message of the application. Messages of the protocol are left out. */
  onMessage?: (data: unknown) => void;
  /** Called each time a connection is open. */
  onOpen?: () => void;
  /** Called when a connection is lost and the client connects again. The code is that of the close event. */
  onLost?: (code: number) => void;
  /** Called once, when the client does not connect again. */
  onEnd?: (end: SocketEnd) => void;
  /** The subprotocols of the application. A browser needs one in addition to the token. Default: `["holdfast"]`. */
  protocols?: readonly string[];
  /**
   * Sends the token in the first message. The page then learns why a connection is refused. The server must allow it
   * (`tokenFrom: { firstMessage: true }`). Default: `false`, in the subprotocol.
   */
  firstMessage?: boolean;
  /** The form of binary messages. Default: `blob`. */
  binaryType?: BinaryType;
  /** How many messages wait for a connection. Default: 100. */
  maxQueue?: number;
}

/** The end of a connection that does not come back. */
export interface SocketEnd {
  /** The close code of the service, 4504 after the login of another user, or 1000 after `close` and after a logout. */
  readonly code: number;
  /** The error of the close frame, such as `insufficient_scope`. Empty when the frame names no error. */
  readonly error: string;
}

/** A WebSocket that survives tokens, sleep and outages. */
export interface AuthSocket {
  readonly state: "waiting" | "open" | "ended";
  /** Sends a message, or queues it until the connection is open. Returns `false` when it was dropped. */
  send(data: string | ArrayBuffer | ArrayBufferView<ArrayBuffer> | Blob): boolean;
  close(): void;
}

/** The session of a user in this browser. */
export interface AuthClient {
  readonly state: AuthState;
  /** Resolves when the stored session has been read. Never rejects. */
  readonly ready: Promise<void>;
  /** Calls `listener` after each change of `state`. Returns the function that ends this. */
  subscribe(listener: () => void): () => void;
  /** Logs in. Rejects with `LoginRefused` or `Unavailable`. */
  login(credentials: Readonly<Record<string, unknown>>): Promise<void>;
  /** Takes over tokens that another flow obtained. Throws a `TypeError` when they are malformed. */
  adopt(tokens: TokenAnswer): Promise<void>;
  /**
   * Returns an access token that is not expired. Rejects with `Unavailable` or `Ended`, and with nothing else. In cookie
   * mode the token is the empty string, and the cookie is fresh.
   */
  accessToken(options?: AccessTokenOptions): Promise<string>;
  /** Returns the access token if it is usable, without a request. `null` otherwise, and in cookie mode. */
  peek(): string | null;
  /** `fetch`, with the access token for the listed origins. Rejects as `fetch` and `accessToken` do. */
  fetch(input: RequestInfo | URL, init?: RequestInit): Promise<Response>;
  /** Opens a WebSocket to a listed origin. Throws a `TypeError` for another one, and for an unknown option. */
  connect(url: string | URL, options?: ConnectOptions): AuthSocket;
  /** Lists the sessions of the user, newest first. Rejects with `Unavailable` or `Ended`. */
  sessions(): Promise<SessionInfo[]>;
  /** Ends a session of the user. Rejects with `Unavailable` or `Ended`. */
  endSession(sessionId: string): Promise<void>;
  /**
   * Ends the session on this device at once, and at the service as soon as it can be reached. `everywhere` ends all
   * sessions of the user. Never rejects.
   */
  logout(options?: { everywhere?: boolean | undefined }): Promise<void>;
  /** Stops timers and listeners, and ends the connections of `connect`. The session stays. */
  close(): void;
}
