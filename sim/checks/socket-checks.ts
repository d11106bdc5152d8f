import { concerns } from "./concerned-faults.ts";
import { beganWithEmptiedLog } from "./emptied-log.ts";
import type { Facts } from "./facts.ts";
import type { FaultTime } from "./fault-times.ts";
import type { RunHistory } from "./run-history.ts";
import { socketsOf, type SocketRecord, type SocketToken } from "./socket-history.ts";
import { checkSocketLimits } from "./socket-limits.ts";
import { clockAllowance, DRIFT, trueExpiry } from "./verdict-checks.ts";
import { TOLERANCE_MS } from "../plan.ts";
import type { Violation } from "./violation.ts";

/** A sweep comes each second, and its timer may be late by a message or two. */
const SWEEP_MS = 2_000;
/** While a new token is checked, the connection keeps the old one and takes no message. */
const CHECK_MS = 12_000;
/** After the end of a fault a guard has recovered from it within this time. */
const RECOVERY_MS = 120_000;
/** A token that lives shorter on its connection may end before the next sweep announces that. */
const SHORT_TOKEN_MS = 6_000;
const MARGIN_MS = 1_000;
/** After an outage the breaker of an authority stays open for this long at most, until the next question about a token. */
const AFTER_EFFECT_MS = 30_000;

type SocketCheck = (socket: SocketRecord, facts: Facts, run: RunHistory) => string | null;

const seconds = (ms: number) => `${(ms / 1_000).toFixed(1)} s`;

/** A connection ends when its token expires, and within the bound after its session has ended. */
const ends: SocketCheck = (socket, facts, run) => {
  for (const inEffect of socket.tokens) {
    const lateMs = tokenLateMs(socket, inEffect, facts, run);
    if (lateMs > 0) return `a connection kept a token ${seconds(lateMs)} after it had to end`;
  }
  const { expectedAt, tokens, end } = socket;
  const until = tokens[0]?.from ?? end?.at ?? null;
  if (expectedAt === null || until === null) return null;
  const limit = expectedAt + run.plan.sockets.firstTokenMs;
  const lateMs = until - limit - slackMs(socket, limit, until, facts);
  return lateMs > 0 ? `a connection without a token stayed open for ${seconds(until - expectedAt)}` : null;
};

function tokenLateMs(socket: SocketRecord, inEffect: SocketToken, facts: Facts, run: RunHistory): number {
  const { token: name, until, facts: call } = inEffect;
  const token = facts.tokens.get(name);
  if (token === undefined || !Number.isFinite(until)) return 0;
  const expiry = trueExpiry(token, run) + TOLERANCE_MS + clockAllowance({ call, began: until }, facts);
  const bound = Number(call["maxRevocationAgeMs"]) * (1 + DRIFT);
  const knowsEnds = !beganWithEmptiedLog(call, inEffect.from, facts, run.plan);
  const endedAt = knowsEnds ? facts.endedAt(token.session, token.user, until, "log") : Infinity;
  const limit = Math.min(expiry, endedAt + bound);
  return until - limit - slackMs(socket, limit, until, facts);
}

/** How long a connection may outlive its limit. */
function slackMs(socket: SocketRecord, limit: number, until: number, { stops }: Facts): number {
  const isChecking = socket.presented.some(({ at }) => limit - CHECK_MS < at && at <= until);
  const stopped = stops
    .filter(({ process, began, ended }) => process === socket.guard && began < until && limit < ended)
    .reduce((sum, { ms }) => sum + ms, 0);
  return SWEEP_MS + stopped + (isChecking ? CHECK_MS : 0);
}

const closed: SocketCheck = ({ close, messages }) =>
  close !== null && messages.some(({ id }) => id > close.id)
    ? "a message was accepted after the connection was closed"
    : null;

const ordered: SocketCheck = ({ messages }) => {
  const index = messages.findIndex(({ call }, place) => call["number"] !== place + 1);
  if (index === -1) return null;
  return `the application got message ${String(messages[index]?.call["number"])} in place of message ${index + 1}`;
};

/** Each token is announced once before it expires. */
const announced: SocketCheck = ({ guard, tokens, close }, facts) => {
  for (const { token, from, until, notices } of tokens) {
    const told = notices.filter(({ data }) => data["token"] === token).length;
    if (told > 1) return `the expiry of one token was announced ${told} times`;
    const isLast = until === close?.began && close.answer?.["reason"] === "expired";
    const isDisturbed = [...facts.stops, ...facts.clockSteps].some(
      ({ process, began, ended }) => process === guard && began < until && from < ended + RECOVERY_MS,
    );
    const isLate = (facts.tokens.get(token)?.expiresAt ?? 0) - from < SHORT_TOKEN_MS;
    if (isLast && told === 0 && !isLate && !isDisturbed) return "a token expired without an announcement";
  }
  return null;
};

/** A connection survives an outage of the authority for `unconfirmedMs`. */
const spared: SocketCheck = ({ guard, close, tokens }, facts, { plan }) => {
  if (close?.answer?.["status"] !== "unavailable") return null;
  const last = facts.tokens.get(tokens.at(-1)?.token ?? "");
  // A token that could not be replaced in time has expired.
  if (last === undefined || last.expiresAt < close.began + MARGIN_MS) return null;
  const isStale = Number(close.call["viewAgeMs"]) > Number(close.call["maxRevocationAgeMs"]);
  if (isStale || hasNetworkFaults(plan.network)) return null;
  if (facts.clockSteps.some(({ process, began }) => process === guard && began < close.began)) return null;
  const faults = facts.faultsBefore(close.began, RECOVERY_MS);
  // The guard has stood still, so its view was too old a moment ago, or it is not sure of the time.
  if (faults.some(({ fault, process }) => process === guard && stopping.has(fault))) return null;
  const others = faults.filter((fault) => concerns(fault, guard, plan));
  const since = close.began - plan.sockets.unconfirmedMs + MARGIN_MS;
  return heldThroughout(others, since, close.began)
    ? null
    : "a connection was closed for an outage that it has to survive";
};

/** Whether at each moment between two times a fault held, or its effects lasted. */
function heldThroughout(faults: readonly FaultTime[], from: number, to: number): boolean {
  let heldUntil = from;
  for (const { began, ended } of faults.toSorted((one, other) => one.began - other.began))
    if (began <= heldUntil) heldUntil = Math.max(heldUntil, ended + AFTER_EFFECT_MS);
  return heldUntil >= to;
}

const stopping: ReadonlySet<string> = new Set(["freeze", "suspend"]);

function hasNetworkFaults({ drop, duplicate, slow }: RunHistory["plan"]["network"]): boolean {
  return drop + duplicate + slow > 0;
}

const checks: Readonly<Record<string, SocketCheck>> = {
  "a connection ends": ends,
  "closed is closed": closed,
  "messages keep their order": ordered,
  "expiry is announced": announced,
  "an outage spares connections": spared,
};

/** Checks each live connection by itself, and the limits that they share. */
export function checkSockets(facts: Facts, run: RunHistory): Violation[] {
  const sockets = socketsOf(run, facts);
  const violations = sockets.flatMap((socket) =>
    Object.entries(checks).flatMap(([check, find]): Violation[] => {
      const message = find(socket, facts, run);
      if (message === null) return [];
      const at = socket.end?.at ?? socket.messages.at(-1)?.began ?? run.startedAt;
      return [{ check, at, process: socket.process, message: `${socket.name}: ${message}` }];
    }),
  );
  return [...violations, ...checkUsers(facts), ...checkSocketLimits(sockets, facts, run)];
}

/** A connection never changes its user, and keeps a good token that it is given. */
function checkUsers({ operations }: Facts): Violation[] {
  return operations.flatMap(({ operation, call, answer, ended, process }) => {
    if (operation !== "renew" || call["isForeign"] !== true || answer?.["status"] !== "ok") return [];
    const message = `${String(call["socket"])} accepted the token of another user`;
    return [{ check: "a connection keeps its user", at: ended, process, message }];
  });
}
