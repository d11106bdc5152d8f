import type { Revocation } from "../core/revocation.ts";

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
  /** The current refresh token, sealed under the previous one. `null` once it was used or its grace ended. */
  readonly sealedSuccessor: string | null;
  /** When the current token was made, which is the first rotation of the previous one. */
  readonly rotatedAt: number;
  /** End of the previous token's grace period. `null` in the first generation. */
  readonly graceEndsAt: number | null;
  /** End of the grace period of the token before the previous one. `null` in the first two generations. */
  readonly olderGraceEndsAt: number | null;
  /** `iat` of the newest access token, epoch seconds. */
  readonly issuedAtS: number;
  readonly idleExpiresAt: number;
  /** Number of consecutive generations, up to the current one, in which a previous token was presented within grace. */
  readonly graceStreak: number;
  /** Whether the previous token was presented again in the current generation. */
  readonly graceHit: boolean;
  /** `null` while the session has not ended. */
  readonly endedAt: number | null;
  readonly endReason: EndReason | null;
}

/** A session to create, with the keyed digest of its first refresh token. */
export interface NewSession extends SessionFacts {
  readonly currentDigest: string;
  readonly idleMs: number;
}

/** A presented refresh token, and the successor that replaces it if it is the current one. */
export interface Rotation {
  readonly sessionId: string;
  readonly generation: number;
  /** Keyed digest of the presented token. */
  readonly presentedDigest: string;
  readonly successorDigest: string;
  /** The successor, sealed under the presented token. */
  readonly sealedSuccessor: string;
  readonly idleMs: number;
  readonly graceMs: number;
  /** The entry to append, together with the end of the session, when the presentation is reuse. */
  readonly onReuse: Revocation;
}

/** The result of presenting a refresh token. */
export type RotationOutcome =
  /** The token was the current one. The successor replaces it, and `session` carries the new `iat`. */
  | { readonly outcome: "rotated"; readonly session: SessionRecord }
  /** The token was the previous one, within grace. `sealedSuccessor` is the same successor as before. */
  | { readonly outcome: "repeated"; readonly session: SessionRecord; readonly sealedSuccessor: string }
  /** The token is within grace, but its successor was already used. The session is unchanged. */
  | { readonly outcome: "conflict"; readonly session: SessionRecord }
  /** The token was already spent. The session has ended and the revocation is durable. */
  | { readonly outcome: "reuse"; readonly session: SessionRecord }
  /** The session had ended or expired before. It is unchanged. */
  | { readonly outcome: "ended"; readonly session: SessionRecord }
  /** The session does not exist, or never had this token. The store is unchanged. */
  | { readonly outcome: "unknown" };

/**
 * The sessions of an issuer.
 *
 * `endAll` and a revocation of kind `subject` record a cut-off and end the subject's sessions. A session cannot be
 * created or refreshed when its `authAt` is at or before the cut-off, nor created when its `authAt` is in the future.
 * Access tokens issued after the cut-off have a greater `iat` than it covers. Setting the clock back does not lower the
 * cut-off or an `iat`.
 */
export interface SessionStore {
  /** Returns `superseded` when a cut-off applies. Rejects with `invalid_option` when the id is taken. */
  create(
    session: NewSession,
  ): Promise<{ status: "created"; session: SessionRecord } | { status: "superseded" }>;
  /** `null` when the session does not exist. */
  get(id: string): Promise<SessionRecord | null>;
  /** Lists the live sessions of a subject, newest first. */
  listBySubject(subject: string): Promise<readonly SessionRecord[]>;
  /** Presents a refresh token: one atomic command. */
  rotate(rotation: Rotation): Promise<RotationOutcome>;
  /** Appends `revocation`, then ends the session. It appends even when the session has ended or does not exist. */
  end(id: string, reason: EndReason, revocation: Revocation): Promise<void>;
  /**
   * Records the subject's cut-off, appends it to the log and ends the subject's sessions. Returns how many were live.
   */
  endAll(subject: string, reason: EndReason, revocation: { issuer: string; until: number }): Promise<number>;
}
