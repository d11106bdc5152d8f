import { readRefreshToken, refreshTokenDigest } from "../../src/issuer/refresh-token.ts";
import type { Secrets } from "../../src/issuer/secrets.ts";
import type { RefreshOutcome } from "../../src/issuer/types.ts";
import type { AuditEvent } from "../../src/core/events.ts";
import type { SessionRecord } from "../../src/stores/contracts.ts";
import { claimsOf } from "../issuer/fixture.ts";
import type { Ledger } from "./ledger.ts";
import type { ModelSession, Said } from "./model.ts";

/** A refresh token as the store was asked about it, at the moment when the command took effect. */
export interface Presentation {
  readonly session: string;
  readonly generation: number;
  /** Of the live token before. */
  readonly tip: number;
  readonly now: number;
  /** End of the token's own window; `null` if it was never rotated. */
  readonly excusedUntil: number | null;
  readonly expected: Said;
  readonly said: Said;
}

/** What a caller was told, as it left the issuer: whether it arrives is another matter. */
export interface Answer {
  readonly actor: "client" | "thief";
  readonly presented: string;
  readonly outcome: RefreshOutcome;
  /** `undefined` when the store was never asked. */
  readonly presentation: Presentation | undefined;
  /** A clock was set: the `iat` of a repeated answer may follow it. */
  readonly clocksSet: boolean;
}

/** One session after a step: as the model has it, and as the store has it. */
export interface State {
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

type OfPresentations =
  | "generationCountsRotations"
  | "onlyTheParentIsExcused"
  | "windowFromFirstRotation"
  | "theftIsCaught"
  | "noAlarmAfterEnding"
  | "nothingRevives";
type OfAnswers =
  | "sameSuccessorOrRetry"
  | "closedByTheChild"
  | "honestStaysIn"
  | "unavailableIsNotInvalid"
  | "nothingWidens";
type OfStates =
  | "oneLiveTip"
  | "endingIsDurable"
  | "reuseIsCommitted"
  | "reuseEndsOneSession"
  | "noAlarmAfterEnding"
  | "pruningTakesNothingAlive"
  | "passwordChangeWins";
/** Checked where they happen. */
type OfMoments =
  /** An ending stands in the revocation log no later than in the session. */
  | "endingIsInTheLog"
  /** What was acknowledged reached the store. */
  | "acknowledgedIsDone"
  /** No refresh token, nor its secret, in the store, the log, the audit trail, an event or an error. */
  | "noSecretAtRest"
  /** When all faults are over, whoever is logged in can go on. */
  | "usableAfterFaults";

/** What must hold, by name. */
export type Invariant = OfPresentations | OfAnswers | OfStates | OfMoments;

const excuses: readonly Said[] = ["repeated", "conflict"];

/** Each says whether it holds. */
export const ofPresentations: Checks<OfPresentations, [Presentation]> = {
  /** The generation counts rotations: whatever the clocks say, the tip rotates and nothing else does. */
  generationCountsRotations: ({ expected, said }) => (expected === "rotated") === (said === "rotated"),
  onlyTheParentIsExcused: ({ said, generation, tip }) => said !== "repeated" || generation === tip - 1,
  /** A window lasts from the first rotation, whoever comes back in between, and is not cut short. */
  windowFromFirstRotation: ({ expected, said, generation, tip, now, excusedUntil }) => {
    const open = excusedUntil !== null && now < excusedUntil;
    if (excuses.includes(said)) return open;
    return !(open && generation === tip - 1 && excuses.includes(expected));
  },
  theftIsCaught: ({ expected, said }) => expected !== "reuse" || said === "reuse",
  noAlarmAfterEnding: ({ expected, said }) => said !== "reuse" || !["ended", "unknown"].includes(expected),
  nothingRevives: ({ expected, said }) => expected !== "ended" || !["rotated", ...excuses].includes(said),
};

export const ofAnswers: Checks<OfAnswers, [Answer, Ledger]> = {
  /** Whoever presents the same token gets the same successor, for the same session, or is told to try again. */
  sameSuccessorOrRetry: ({ outcome, presented, presentation, clocksSet }, { successors, claims }) => {
    const { expected } = presentation ?? {};
    if (outcome.status !== "ok") {
      return outcome.status === "unavailable" || !["rotated", "repeated"].includes(expected ?? "");
    }
    const own = claimsOf(outcome.tokens.access_token);
    const before = claims.get(String(own["jti"])) ?? own;
    const same = clocksSet || before["iat"] === own["iat"];
    return (
      same && (successors.get(presented) ?? outcome.tokens.refresh_token) === outcome.tokens.refresh_token
    );
  },
  closedByTheChild: ({ outcome, presentation }) =>
    outcome.status !== "ok" ||
    (presentation !== undefined && presentation.generation >= presentation.tip - 1),
  honestStaysIn: ({ actor, outcome, presentation }) =>
    actor === "thief" ||
    outcome.status !== "invalid_grant" ||
    !["rotated", "repeated", "conflict"].includes(presentation?.expected ?? ""),
  unavailableIsNotInvalid: ({ outcome, presentation }) =>
    outcome.status !== "invalid_grant" || presentation !== undefined,
  nothingWidens: ({ outcome }, { began }) => {
    if (outcome.status !== "ok") return true;
    const now = claimsOf(outcome.tokens.access_token);
    const first = began.get(outcome.tokens.session_id) ?? {};
    const fixed = ["iss", "sub", "aud", "client_id", "sid", "tenant"];
    const had = String(first["scope"]).split(" ");
    const has = String(now["scope"]).split(" ");
    return fixed.every((name) => now[name] === first[name]) && has.every((scope) => had.includes(scope));
  },
};

export const ofStates: Checks<OfStates, [State]> = {
  oneLiveTip: ({ session, live, record, tokens, secrets }) => {
    if (!live) return true;
    const tip = tokens.get(session.tip);
    const token = tip === undefined ? null : readRefreshToken(secrets, tip);
    return (
      record?.generation === session.tip &&
      (token === null || refreshTokenDigest(token) === record.currentDigest)
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
export function broken<Name extends Invariant, Args extends readonly unknown[]>(
  checks: Checks<Name, Args>,
  ...args: Args
): Name[] {
  return (Object.keys(checks) as Name[]).filter((name) => !checks[name](...args));
}
