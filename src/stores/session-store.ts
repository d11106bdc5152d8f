import type { Revocation } from "../core/revocation.ts";
import type { SessionCap } from "./session-cap.ts";

/** The part of a session that never changes, and the issuer's MAC over it. */
export interface SessionFacts {
  readonly id: string;
  readonly subject: string;
  /** When the credentials were checked. The caller reads it with `now()` before the check. */
  readonly authAt: number;
  /** No token of the session outlives this time. */
  readonly absoluteExpiresAt: number;
  /** The issuer's JSON: scopes, claims, client, audience, device. */
  readonly facts: string;
  readonly mac: string;
}

/** Why a session ended. */
export type EndReason =
  | "logout"
  | "logout_all"
  | "password_changed"
  | "reuse"
  | "revoked"
  | "user_disabled"
  | "user_removed"
  /** The user lost a scope. */
  | "scopes_reduced"
  /** The user had more sessions than allowed, and this one was not refreshed for the longest time. */
  | "evicted"
  /** `renew` returned `null`, or the user is disabled or removed. */
  | "not_renewed";

/** A session and the state of its chain of refresh tokens. An ended session holds no digest and no sealed value. */
export interface SessionRecord extends SessionFacts {
  /** Number of the current refresh token, counted from 1. */
  readonly generation: number;
  /** Keyed digest of the current refresh token. `""` when the session has ended. */
  readonly currentDigest: string;
  /** Keyed digest of the previous refresh token. `null` in the first generation, or when the session has ended. */
  readonly previousDigest: string | null;
  /** The current refresh token, sealed under the previous one. `null` once it arrived or `lostAnswerEndsAt` passed. */
  readonly sealedSuccessor: string | null;
  /** When the current token was made, which is the first rotation of the previous one. */
  readonly rotatedAt: number;
  /** Until then the previous token gets the same successor, if that did not arrive. `null` in the first generation. */
  readonly lostAnswerEndsAt: number | null;
  /** When the client was first known to have the current token. `null` while that is not known. */
  readonly arrivedAt: number | null;
  /** When the client was first known to have the previous token. `null` in the first generation. */
  readonly previousArrivedAt: number | null;
  /** When a token last proved that the store had gone back. `null` when none did. */
  readonly rolledBackAt: number | null;
  /** `iat` of the newest access token, epoch seconds. */
  readonly issuedAtS: number;
  /** The session ends when it was not refreshed for this long. It is fixed when the session is created. */
  readonly idleMs: number;
  readonly idleExpiresAt: number;
  /** Number of consecutive generations, up to the current one, in which a previous token got its successor again. */
  readonly repeatStreak: number;
  /** Whether the previous token got its successor again in the current generation. */
  readonly wasRepeated: boolean;
  /** `null` while the session has not ended. */
  readonly endedAt: number | null;
  readonly endReason: EndReason | null;
}

/** A session to create, with the keyed digest of its first refresh token. */
export interface NewSession extends SessionFacts {
  readonly currentDigest: string;
  readonly idleMs: number;
  /** `mark()` of before the check of the credentials, or the greater `number` of a cut-off that the caller saw then. */
  readonly mark: number;
}

/** A presented refresh token, and the successor that replaces it if it is the current one. */
export interface Rotation {
  readonly sessionId: string;
  readonly generation: number;
  /** Keyed digest of the presented token. */
  readonly presentedDigest: string;
  /** When the presented token was issued, epoch ms. `null` for a token of an older version. */
  readonly issuedAt: number | null;
  /** When the presented token expires unless it is used, epoch ms. `null` for a token of an older version. */
  readonly expiresAt: number | null;
  readonly successorDigest: string;
  /** The successor, sealed under the presented token. */
  readonly sealedSuccessor: string;
  /** For this long the presented token gets the same successor, unless that is known to have arrived. */
  readonly lostAnswerMs: number;
  /** For this long after the arrival of its successor, a spent token is a conflict instead of reuse. */
  readonly conflictMs: number;
  /** The entry to append, together with the end of the session, when the presentation is reuse. */
  readonly onReuse: Revocation;
}

/** The result of presenting a refresh token. */
export type RotationOutcome =
  /** The token was the current one. The successor replaces it, and `session` carries the new `iat`. */
  | { readonly outcome: "rotated"; readonly session: SessionRecord }
  /** The token was ahead of the store, which therefore went back. Its successor replaces it, as for `rotated`. */
  | { readonly outcome: "resumed"; readonly session: SessionRecord }
  /**
   * The token was the previous one, and its successor is not known to have arrived. `sealedSuccessor` is the same as
   * before, and `behindMs` is the time since the rotation.
   */
  | {
      readonly outcome: "repeated";
      readonly session: SessionRecord;
      readonly sealedSuccessor: string;
      readonly behindMs: number;
    }
  /** The token's successor arrived less than `conflictMs` ago. The session is unchanged. */
  | { readonly outcome: "conflict"; readonly session: SessionRecord }
  /** The successor is not known to have arrived, and `lostAnswerMs` is over. The session is unchanged. */
  | { readonly outcome: "late"; readonly session: SessionRecord }
  /** The session continued from another token, because the store went back. The session is unchanged. */
  | { readonly outcome: "forked"; readonly session: SessionRecord }
  /** The token was already spent. The session has ended and the revocation is durable. */
  | { readonly outcome: "reuse"; readonly session: SessionRecord }
  /** The session had ended or expired before. It is unchanged. */
  | { readonly outcome: "ended"; readonly session: SessionRecord }
  /** The session does not exist. */
  | { readonly outcome: "unknown" };

/** A sign that the client has the refresh token of a generation. */
export interface Acknowledgement {
  readonly sessionId: string;
  readonly generation: number;
  /** Keyed digest of the refresh token. `null` when an access token of the generation is the sign. */
  readonly digest: string | null;
}

/** A part of the list of a subject's sessions. */
export interface SessionPage {
  /** Newest first. A page can have fewer sessions than its limit, although others follow. */
  readonly sessions: readonly SessionRecord[];
  /** The position from which the next page continues. `null` when no session follows. */
  readonly next: SessionPosition | null;
  /** The ids of sessions in this part whose records cannot be read. Left out by a store that cannot tell. */
  readonly unreadable?: readonly string[];
}

/** A place in the list of a subject's sessions. The store makes it; the place stays valid when the session ends. */
export interface SessionPosition {
  readonly at: number;
  readonly id: string;
}

/**
 * The sessions of an issuer.
 *
 * `endAll` and a revocation of kind `subject` record a numbered cut-off and end the subject's sessions. A session cannot
 * be created when its `mark` is less than the number of the cut-off. Setting the clock back does not lower the cut-off or
 * an `iat`.
 */
export interface SessionStore {
  /**
   * Returns a number that orders logins and cut-offs, to be read before the check of credentials. Every cut-off that
   * exists has a number that is not greater. Every later cut-off of a session's subject gets a greater number.
   */
  mark(): Promise<number>;
  /**
   * Returns `superseded` when a cut-off applies, with its number: credentials that are checked again after that are from
   * after the cut-off. Rejects with `invalid_option` when the id is taken.
   *
   * With `cap`, also ends the sessions that `sessionsToEvict` names, with the reason `evicted`, and appends their
   * revocations. Returns those that were live as `evicted`. Concurrent calls leave no more than `cap.max` live sessions
   * of the subject.
   */
  create(
    session: NewSession,
    cap?: SessionCap,
  ): Promise<
    | {
        readonly status: "created";
        readonly session: SessionRecord;
        readonly evicted: readonly SessionRecord[];
      }
    | { readonly status: "superseded"; readonly number: number }
  >;
  /** `null` when the session does not exist. */
  get(id: string): Promise<SessionRecord | null>;
  /** Lists at most `limit` live sessions of a subject, newest first, after the position `after`. */
  listBySubject(
    subject: string,
    page: { readonly after?: SessionPosition | null; readonly limit: number },
  ): Promise<SessionPage>;
  /** Presents a refresh token: one atomic command. */
  rotate(rotation: Rotation): Promise<RotationOutcome>;
  /**
   * Records that the successor arrived, and erases its sealed copy: one atomic command. Returns `unchanged` unless the
   * session is live and the generation is its current one, made by a rotation and not acknowledged before.
   */
  acknowledge(sign: Acknowledgement): Promise<"acknowledged" | "unchanged">;
  /** Appends `revocation`, then ends the session. It appends even when the session has ended or does not exist. */
  end(id: string, reason: EndReason, revocation: Revocation): Promise<void>;
  /**
   * Records the subject's cut-off, appends it to the log and ends the subject's sessions. Returns how many were live.
   */
  endAll(subject: string, reason: EndReason, revocation: { issuer: string; until: number }): Promise<number>;
}
