/** The state of the authority in a phase. */
export type AuthorityState = "up" | "down" | "frozen" | "flapping" | "slow";

/** A token that was revoked in the revocation log, or at the provider only. */
export interface RevokedToken {
  readonly token: string;
  readonly by: "log" | "provider";
  /** When the revocation was complete, on the monotonic clock, in milliseconds. */
  readonly at: number;
}

/** The service under test: the drill's own API, or a service of the user. */
export interface Environment {
  /** Where requests go. */
  readonly url: string;
  /** Whether the drill started the API itself, so that every check applies. */
  readonly isLocal: boolean;
  /** Returns a good token. A fresh one was never used before, as long as the environment has such tokens. */
  token(fresh: boolean): string;
  /**
   * Changes the state of the authority. Some states begin with a revocation: `onRevoke` is called with the token before
   * the revocation, and the promise resolves with the revoked token.
   */
  setAuthority(state: AuthorityState, onRevoke: (token: string) => void): Promise<RevokedToken | null>;
  /** Where WebSocket clients connect. `null` when the environment has no such address. */
  readonly webSocketUrl: string | null;
  close(): Promise<void>;
}
