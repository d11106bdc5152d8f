import { parseRefreshToken, digestRefreshToken } from "../../src/issuer/sessions/refresh-token.ts";
import type { Secrets } from "../../src/issuer/secret-keys.ts";
import type { RefreshOutcome } from "../../src/issuer/types.ts";
import type { AuditEvent } from "../../src/core/events.ts";
import type { SessionRecord } from "../../src/stores/session-store.ts";
import { claimsOf } from "../issuer/fixture.ts";
import type { IssuedTokens } from "./issued-tokens.ts";
import type { ModelSession, Outcome } from "./model.ts";

/** A presentation of a refresh token at the store, at the moment the command took effect. */
export interface Presentation {
  readonly session: string;
  readonly generation: number;
  /** Generation of the current token before the command. */
  readonly currentGeneration: number;
  readonly now: number;
  /** Whether the successor of the token is known to have arrived. */
  readonly isArrived: boolean;
  readonly expected: Outcome;
  readonly actual: Outcome;
}

/** An answer as it left the issuer, whether or not it arrives. */
export interface IssuerAnswer {
  readonly actor: "client" | "thief";
  readonly presented: string;
  readonly outcome: RefreshOutcome;
  /** `undefined` when the request never reached the store. */
  readonly presentation: Presentation | undefined;
}

/** A session after a step, in the model and in the store. */
export interface SessionState {
  readonly session: ModelSession;
  readonly live: boolean;
  readonly record: SessionRecord | null;
  readonly tokens: ReadonlyMap<number, string>;
  readonly audit: readonly AuditEvent[];
  readonly secrets: Secrets;
  /** Version of the password that the session began with, and the newest acknowledged version. */
  readonly password: { readonly used: number; readonly changed: number };
}

type Checks<Name extends string, Args extends readonly unknown[]> = Readonly<
  Record<Name, (...args: Args) => boolean>
>;

type PresentationInvariant =
  | "generationCountsRotations"
  | "onlyThePreviousTokenIsRepeated"
  | "lostAnswerIsRepeated"
  | "noRepeatAfterArrival"
  | "conflictIsShort"
  | "noFalseAlarm"
  | "theftIsCaught"
  | "noAlarmAfterEnding"
  | "nothingRevives";
type AnswerInvariant =
  | "sameSuccessorOrRetry"
  | "noRepeatAfterSuccessorUse"
  | "ownJtiForEveryToken"
  | "honestClientStaysLoggedIn"
  | "unavailableIsNotInvalid"
  | "nothingWidens";
type StateInvariant =
  | "oneCurrentToken"
  | "endingIsDurable"
  | "reuseIsCommitted"
  | "reuseEndsOneSession"
  | "noAlarmAfterEnding"
  | "pruningKeepsLiveSessions"
  | "passwordChangeWins";
/** Invariants that are checked where they happen. */
type MomentInvariant =
  /** A sign of arrival counts for the current generation of a live session, and once. */
  | "arrivalIsRecordedOnce"
  /** The revocation log has an ending no later than the session has it. */
  | "endingIsInTheLog"
  /** Every acknowledged change has reached the store. */
  | "acknowledgedIsDone"
  /** No refresh token and no secret of one is in the store, the log, the audit trail, an event or an error. */
  | "noSecretAtRest"
  /** After the faults, every logged-in client can refresh. */
  | "usableAfterFaults";

/** Name of an invariant. */
export type Invariant = PresentationInvariant | AnswerInvariant | StateInvariant | MomentInvariant;

/** Outcomes that end nothing, for a token that is still known. */
const excused: readonly Outcome[] = ["repeated", "conflict", "late"];

/** Invariants of one presentation. Each check returns whether the invariant holds. */
export const presentationInvariants: Checks<PresentationInvariant, [Presentation]> = {
  /** The generation counts rotations. Only the current token rotates, independent of the clocks. */
  generationCountsRotations: ({ expected, actual }) => (expected === "rotated") === (actual === "rotated"),
  onlyThePreviousTokenIsRepeated: ({ actual, generation, currentGeneration }) =>
    actual !== "repeated" || generation === currentGeneration - 1,
  /** The time counts from the first rotation. Presentations do not change its end. */
  lostAnswerIsRepeated: ({ expected, actual }) => (expected === "repeated") === (actual === "repeated"),
  noRepeatAfterArrival: ({ actual, isArrived }) => actual !== "repeated" || !isArrived,
  conflictIsShort: ({ expected, actual }) => actual !== "conflict" || expected === "conflict",
  /** What is not proved revokes nothing. */
  noFalseAlarm: ({ expected, actual }) => actual !== "reuse" || !["rotated", ...excused].includes(expected),
  theftIsCaught: ({ expected, actual }) => expected !== "reuse" || actual === "reuse",
  noAlarmAfterEnding: ({ expected, actual }) =>
    actual !== "reuse" || !["ended", "unknown"].includes(expected),
  nothingRevives: ({ expected, actual }) => expected !== "ended" || !["rotated", ...excused].includes(actual),
};

export const answerInvariants: Checks<AnswerInvariant, [IssuerAnswer, IssuedTokens]> = {
  /** Presenting the same token yields the same successor of the same session, or a retryable error. */
  sameSuccessorOrRetry: ({ outcome, presented, presentation }, { successors }) => {
    const { expected } = presentation ?? {};
    if (outcome.status !== "ok") {
      return outcome.status === "unavailable" || !["rotated", "repeated"].includes(expected ?? "");
    }
    return (successors.get(presented) ?? outcome.tokens.refresh_token) === outcome.tokens.refresh_token;
  },
  ownJtiForEveryToken: ({ outcome }, { jtis }) =>
    outcome.status !== "ok" || !jtis.has(String(claimsOf(outcome.tokens.access_token)["jti"])),
  noRepeatAfterSuccessorUse: ({ outcome, presentation }) =>
    outcome.status !== "ok" ||
    (presentation !== undefined && presentation.generation >= presentation.currentGeneration - 1),
  honestClientStaysLoggedIn: ({ actor, outcome, presentation }) =>
    actor === "thief" ||
    outcome.status !== "invalid_grant" ||
    !["rotated", "repeated", "conflict"].includes(presentation?.expected ?? ""),
  unavailableIsNotInvalid: ({ outcome, presentation }) =>
    outcome.status !== "invalid_grant" || presentation !== undefined,
  nothingWidens: ({ outcome }, { firstClaims }) => {
    if (outcome.status !== "ok") return true;
    const now = claimsOf(outcome.tokens.access_token);
    const first = firstClaims.get(outcome.tokens.session_id) ?? {};
    const fixed = ["iss", "sub", "aud", "client_id", "sid", "tenant"];
    const had = String(first["scope"]).split(" ");
    const has = String(now["scope"]).split(" ");
    return fixed.every((name) => now[name] === first[name]) && has.every((scope) => had.includes(scope));
  },
};

export const stateInvariants: Checks<StateInvariant, [SessionState]> = {
  oneCurrentToken: ({ session, live, record, tokens, secrets }) => {
    if (!live) return true;
    const issued = tokens.get(session.currentGeneration);
    const token = issued === undefined ? null : parseRefreshToken(secrets, issued);
    return (
      record?.generation === session.currentGeneration &&
      (token === null || digestRefreshToken(token) === record.currentDigest)
    );
  },
  /** The session has also ended in the store, without a digest or a sealed token. */
  endingIsDurable: ({ session, record }) => {
    if (session.ending === null || record === null) return true;
    const { endedAt, currentDigest, previousDigest, sealedSuccessor } = record;
    return endedAt !== null && currentDigest === "" && previousDigest === null && sealedSuccessor === null;
  },
  reuseIsCommitted: ({ session, record }) =>
    session.ending !== "reuse" || record === null || record.endReason === "reuse",
  reuseEndsOneSession: ({ session, record }) =>
    record?.endedAt === null || session.ending !== null || record === null,
  pruningKeepsLiveSessions: ({ session, record }) => record !== null || session.removed,
  noAlarmAfterEnding: ({ session, audit }) => {
    const reuseEvents = audit.filter(
      ({ kind, session: id }) => kind === "refresh_reuse" && id === session.id,
    );
    return reuseEvents.length <= (session.ending === "reuse" ? 1 : 0);
  },
  passwordChangeWins: ({ live, password }) => !live || password.used >= password.changed,
};

/** Returns the names of the invariants that do not hold. */
export function findViolations<Name extends Invariant, Args extends readonly unknown[]>(
  checks: Checks<Name, Args>,
  ...args: Args
): Name[] {
  return (Object.keys(checks) as Name[]).filter((name) => !checks[name](...args));
}
