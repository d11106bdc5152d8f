import { parseRefreshToken, digestRefreshToken } from "../../src/issuer/sessions/refresh-token.ts";
import type { Secrets } from "../../src/issuer/secret-keys.ts";
import type { RefreshOutcome } from "../../src/issuer/types.ts";
import type { AuditEvent } from "../../src/core/events.ts";
import type { SessionRecord } from "../../src/stores/store.ts";
import { claimsOf } from "../issuer/fixture.ts";
import type { IssuedTokens } from "./issued-tokens.ts";
import type { ModelSession, Outcome } from "./model.ts";

/** A refresh token as the store was asked about it, at the moment when the command took effect. */
export interface Presentation {
  readonly session: string;
  readonly generation: number;
  /** Of the live token before. */
  readonly currentGeneration: number;
  readonly now: number;
  /** End of the token's own window; `null` if it was never rotated. */
  readonly graceEndsAt: number | null;
  readonly expected: Outcome;
  readonly actual: Outcome;
}

/** What a caller was told, as it left the issuer: whether it arrives is another matter. */
export interface IssuerAnswer {
  readonly actor: "client" | "thief";
  readonly presented: string;
  readonly outcome: RefreshOutcome;
  /** `undefined` when the store was never asked. */
  readonly presentation: Presentation | undefined;
  /** A clock was set: the `iat` of a repeated answer may follow it. */
  readonly clocksSet: boolean;
}

/** One session after a step: as the model has it, and as the store has it. */
export interface SessionState {
  readonly session: ModelSession;
  readonly live: boolean;
  readonly record: SessionRecord | null;
  readonly tokens: ReadonlyMap<number, string>;
  readonly audit: readonly AuditEvent[];
  readonly secrets: Secrets;
  /** Version of the password that it began with, and the newest one whose change was acknowledged. */
  readonly password: { readonly used: number; readonly changed: number };
}

type Checks<Name extends string, Args extends readonly unknown[]> = Readonly<
  Record<Name, (...args: Args) => boolean>
>;

type PresentationInvariant =
  | "generationCountsRotations"
  | "onlyThePreviousTokenIsRepeated"
  | "windowFromFirstRotation"
  | "theftIsCaught"
  | "noAlarmAfterEnding"
  | "nothingRevives";
type AnswerInvariant =
  | "sameSuccessorOrRetry"
  | "noRepeatAfterSuccessorUse"
  | "honestClientStaysLoggedIn"
  | "unavailableIsNotInvalid"
  | "nothingWidens";
type StateInvariant =
  | "oneCurrentToken"
  | "endingIsDurable"
  | "reuseIsCommitted"
  | "reuseEndsOneSession"
  | "noAlarmAfterEnding"
  | "pruningTakesNothingAlive"
  | "passwordChangeWins";
/** Checked where they happen. */
type MomentInvariant =
  /** An ending stands in the revocation log no later than in the session. */
  | "endingIsInTheLog"
  /** What was acknowledged reached the store. */
  | "acknowledgedIsDone"
  /** No refresh token, nor its secret, in the store, the log, the audit trail, an event or an error. */
  | "noSecretAtRest"
  /** When all faults are over, whoever is logged in can go on. */
  | "usableAfterFaults";

/** What must hold, by name. */
export type Invariant = PresentationInvariant | AnswerInvariant | StateInvariant | MomentInvariant;

const graceOutcomes: readonly Outcome[] = ["repeated", "conflict"];

/** Each says whether it holds. */
export const presentationInvariants: Checks<PresentationInvariant, [Presentation]> = {
  /** The generation counts rotations: whatever the clocks say, the tip rotates and nothing else does. */
  generationCountsRotations: ({ expected, actual }) => (expected === "rotated") === (actual === "rotated"),
  onlyThePreviousTokenIsRepeated: ({ actual, generation, currentGeneration }) =>
    actual !== "repeated" || generation === currentGeneration - 1,
  /** A window lasts from the first rotation, whoever comes back in between, and is not cut short. */
  windowFromFirstRotation: ({ expected, actual, generation, currentGeneration, now, graceEndsAt }) => {
    const open = graceEndsAt !== null && now < graceEndsAt;
    if (graceOutcomes.includes(actual)) return open;
    return !(open && generation === currentGeneration - 1 && graceOutcomes.includes(expected));
  },
  theftIsCaught: ({ expected, actual }) => expected !== "reuse" || actual === "reuse",
  noAlarmAfterEnding: ({ expected, actual }) =>
    actual !== "reuse" || !["ended", "unknown"].includes(expected),
  nothingRevives: ({ expected, actual }) =>
    expected !== "ended" || !["rotated", ...graceOutcomes].includes(actual),
};

export const answerInvariants: Checks<AnswerInvariant, [IssuerAnswer, IssuedTokens]> = {
  /** Whoever presents the same token gets the same successor, for the same session, or is told to try again. */
  sameSuccessorOrRetry: ({ outcome, presented, presentation, clocksSet }, { successors, claimsByJti }) => {
    const { expected } = presentation ?? {};
    if (outcome.status !== "ok") {
      return outcome.status === "unavailable" || !["rotated", "repeated"].includes(expected ?? "");
    }
    const own = claimsOf(outcome.tokens.access_token);
    const before = claimsByJti.get(String(own["jti"])) ?? own;
    const same = clocksSet || before["iat"] === own["iat"];
    return (
      same && (successors.get(presented) ?? outcome.tokens.refresh_token) === outcome.tokens.refresh_token
    );
  },
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
  /** Ended in the store too, with nothing left that a token could be compared with or opened by. */
  endingIsDurable: ({ session, record }) => {
    if (session.ending === null || record === null) return true;
    const { endedAt, currentDigest, previousDigest, sealedSuccessor } = record;
    return endedAt !== null && currentDigest === "" && previousDigest === null && sealedSuccessor === null;
  },
  reuseIsCommitted: ({ session, record }) =>
    session.ending !== "reuse" || record === null || record.endReason === "reuse",
  reuseEndsOneSession: ({ session, record }) =>
    record?.endedAt === null || session.ending !== null || record === null,
  pruningTakesNothingAlive: ({ session, record }) => record !== null || session.removed,
  noAlarmAfterEnding: ({ session, audit }) => {
    const alarms = audit.filter(({ kind, session: id }) => kind === "refresh_reuse" && id === session.id);
    return alarms.length <= (session.ending === "reuse" ? 1 : 0);
  },
  passwordChangeWins: ({ live, password }) => !live || password.used >= password.changed,
};

/** Names of the checks that do not hold. */
export function findViolations<Name extends Invariant, Args extends readonly unknown[]>(
  checks: Checks<Name, Args>,
  ...args: Args
): Name[] {
  return (Object.keys(checks) as Name[]).filter((name) => !checks[name](...args));
}
