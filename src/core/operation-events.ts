/*
 * Events of operations that take time. Each is published when its operation ends, and is only made for a subscriber.
 * `durationMs` is monotonic time.
 */

/** One question to an authority, published on `holdfast:question`. */
export interface QuestionEvent {
  /** The guard's `name`. */
  readonly guard: string;
  readonly issuer: string | null;
  readonly outcome:
    | "yes"
    | "no"
    /** The authority did not answer in time, or with an error. */
    | "failed"
    /** It answered 200 with something else than an answer. */
    | "unusable"
    /** It refused the guard's own request. */
    | "misconfigured"
    /** The guard sent nothing: the breaker is open, the authority asked for a pause, or too many questions wait. */
    | "refused"
    /** Callers with a fallback stopped waiting. The question goes on, and another event tells its outcome. */
    | "soft_timeout";
  /** From the last attempt on. For `soft_timeout` the time that callers waited, and for `refused` 0. */
  readonly durationMs: number;
  /** How many requests were sent: 2 after a retry, and 0 when the guard sent nothing. */
  readonly attempt: number;
  /** Whether the guard asked in the background about a token of its own. */
  readonly probe: boolean;
}

/** One fetch of a key set, published on `holdfast:keys`. */
export interface KeysEvent {
  /** The guard's `name`. */
  readonly guard: string;
  readonly issuer: string | null;
  readonly outcome: "ok" | "failed";
  readonly durationMs: number;
}

/** A change of a circuit breaker, published on `holdfast:breaker`. */
export interface BreakerEvent {
  /** The guard's `name`. */
  readonly guard: string;
  /** `null` for the shared cache, which serves all issuers. */
  readonly issuer: string | null;
  readonly upstream: "authority" | "shared";
  readonly from: BreakerState;
  readonly to: BreakerState;
}

type BreakerState = "closed" | "open" | "half-open" | "forced open" | "forced closed";

/** One login, or change of a password by its user, published on `holdfast:login`. */
export interface LoginEvent {
  /** The issuer's `name`. */
  readonly issuer: string;
  readonly outcome: "ok" | "refused" | "limited" | "unavailable";
  readonly durationMs: number;
  /** The part of it for password hashes, with their wait for a place. 0 when no password was hashed. */
  readonly hashMs: number;
}

/** The outcome of one presentation of an authentic refresh token, published on `holdfast:refresh`. */
export interface RefreshEvent {
  /** The issuer's `name`. */
  readonly issuer: string;
  readonly outcome:
    /** The token was the current one, and got its successor. */
    | "rotated"
    /** The token was ahead of the store, which went back, and got its successor. */
    | "resumed"
    /** The token got the same successor again. */
    | "repeated"
    /** Its successor had just arrived: 409. */
    | "conflict"
    /** It came after `lostAnswerMs`. */
    | "late"
    /** It belongs to a branch of the session that the store has lost. */
    | "forked"
    /** It was spent, and the session has ended. */
    | "reuse"
    /** The session had ended before. */
    | "ended"
    /** The store does not know the session. */
    | "unknown"
    /** The issuer could not decide: 503. */
    | "unavailable";
  /** How long after the rotation a repeated presentation came. `null` for other outcomes. */
  readonly behindMs: number | null;
  readonly durationMs: number;
}

/** One command of an issuer to its store, published on `holdfast:command`. */
export interface CommandEvent {
  /** The kind and place of the store, without credentials. */
  readonly store: string;
  /** The method of the store, such as `sessions.rotate`. */
  readonly command: string;
  readonly outcome: "ok" | "failed";
  readonly durationMs: number;
}
