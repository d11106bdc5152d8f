/** What becomes of the authority in a phase. */
export type AuthorityState = "up" | "down" | "frozen" | "flapping" | "slow";

/** A token that was revoked, and how: written to the log of revocations, or known to the provider alone. */
export interface RevokedToken {
  readonly token: string;
  readonly by: "log" | "provider";
  /** When that was done: monotonic, milliseconds. */
  readonly at: number;
}

/** What the drill is about: ours, or somebody's own service. */
export interface Environment {
  /** Where requests go. */
  readonly url: string;
  /** Every good token has to be served throughout, and what is tested besides can be. */
  readonly isLocal: boolean;
  /** For a request; a fresh one was never used before, where there are such. */
  token(fresh: boolean): string;
  /** Changes the authority's state. Resolves with a token that is revoked in the course of it. */
  setAuthority(weather: AuthorityState): Promise<RevokedToken | null>;
  /** Where live connections go; `null` where that is not known. */
  readonly webSocketUrl: string | null;
  close(): Promise<void>;
}
