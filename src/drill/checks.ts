import { closeCodes } from "../connections/close-codes.ts";
import { quantile, formatDuration } from "./figures.ts";
import type { WebSocketReport } from "./websocket-clients.ts";
import type { Phase } from "./phase.ts";
import { STEADY_MS, RECOVERY_MS } from "./scenario.ts";
import type { Sample } from "./traffic.ts";
import type { RevokedToken } from "./environment.ts";

/** What was promised, and what was seen of it. */
export interface CheckResult {
  readonly passed: boolean;
  readonly expectation: string;
  readonly observed: string;
}

const FIRST_FALLBACK_MS = 100;
/** Far less than anybody would wait for an authority, and more than a busy machine adds to a proof. */
const LATER_FALLBACK_MS = 10;
const LOG_MS = 1_000;
const REVOKED = closeCodes.token_revoked;

/** What can be promised of every service, and of ours besides. */
export function runChecks(
  phases: readonly Phase[],
  live: WebSocketReport,
  isOurs: boolean,
): readonly CheckResult[] {
  const everywhere = [checkNoFalseRefusal(phases), checkRetryAfter(phases), checkRecovery(phases)];
  if (!isOurs) return everywhere;
  const connected =
    live.opened === 0
      ? []
      : [checkNoDroppedConnection(live), checkNoLostMessage(live), ...checkRevokedConnections(phases, live)];
  return [
    ...everywhere,
    checkAllServed(phases),
    checkFirstFallback(phases),
    checkLaterFallbacks(phases),
    checkRevokedByLog(phases),
    checkRevokedByProvider(phases),
    checkRevokedStaysRevoked(phases),
    checkSlowAuthority(phases),
    ...connected,
  ];
}

function checkNoFalseRefusal(phases: readonly Phase[]): CheckResult {
  const refused = sumOver(phases, (phase) => phase.count("refused"));
  const all = sumOver(phases, (phase) => phase.good.length);
  const observed = `${refused} false 401 in ${all} requests`;
  return { passed: refused === 0 && all > 0, expectation: "no good token is refused", observed };
}

function checkAllServed(phases: readonly Phase[]): CheckResult {
  const missed = sumOver(phases, (phase) => phase.count("unavailable") + phase.count("failed"));
  return {
    passed: missed === 0,
    expectation: "every good token is served throughout",
    observed: `${missed} were not`,
  };
}

function checkRetryAfter(phases: readonly Phase[]): CheckResult {
  const told = phases.flatMap(({ samples }) => samples.filter(({ outcome }) => outcome === "unavailable"));
  const mute = told.filter(({ hasRetryAfter }) => !hasRetryAfter).length;
  return {
    passed: mute === 0,
    expectation: "every 503 says when to retry",
    observed: `${mute} of ${told.length} do not`,
  };
}

/** An answer that takes long once in a while, after that, is no outage; one that goes on until the end is. */
function checkRecovery(phases: readonly Phase[]): CheckResult {
  const restored = phases.filter(({ name }) => name === "restored");
  const times = restored.map((phase) => {
    const last = phase.good.at(-1)?.at ?? phase.startedAt;
    const endsSteady = last - phase.startedAt - phase.impairedUntilMs >= STEADY_MS / 2;
    return endsSteady ? phase.steadyFromMs(STEADY_MS / 2) : Infinity;
  });
  return {
    passed: times.length > 0 && times.every((ms) => ms <= RECOVERY_MS),
    expectation: `recovers by itself within ${formatDuration(RECOVERY_MS)}`,
    observed: times.map((ms) => (ms === Infinity ? "not at all" : formatDuration(ms))).join(", "),
  };
}

/** A guard waits longer for an authority that took long before: by no more than that it may exceed the usual. */
function checkFirstFallback(phases: readonly Phase[]): CheckResult {
  const firsts = ["down", "frozen"].map((name) => {
    const { good = [] } = phases.find((phase) => phase.name === name) ?? {};
    const first = good.find(({ outcome }) => outcome === "degraded");
    return { name, ms: first?.decisionMs ?? Infinity, softTimeoutMs: first?.softTimeoutMs ?? 0 };
  });
  const passed = firsts.every(
    ({ ms, softTimeoutMs }) => ms < Math.max(FIRST_FALLBACK_MS, softTimeoutMs + 20),
  );
  const expectation = `the first decision without the authority takes less than ${FIRST_FALLBACK_MS} ms`;
  const observed = firsts.map(({ name, ms, softTimeoutMs }) => {
    return `${ms === Infinity ? "none" : formatDuration(ms)} (${name}, soft timeout ${formatDuration(softTimeoutMs)})`;
  });
  return { passed, expectation, observed: observed.join(", ") };
}

function checkLaterFallbacks(phases: readonly Phase[]): CheckResult {
  const later = phases
    .flatMap((phase) => phase.good)
    .filter(({ outcome, softTimeoutMs }) => outcome === "degraded" && softTimeoutMs === 0)
    .flatMap(({ decisionMs }) => decisionMs ?? []);
  const median = quantile(later, 0.5);
  return {
    passed: median === null || median < LATER_FALLBACK_MS,
    expectation: "later ones wait for nobody",
    observed: median === null ? "there were none" : `median ${formatDuration(median)} of ${later.length}`,
  };
}

function checkRevokedByLog(phases: readonly Phase[]): CheckResult {
  const refused = findRevokedSamples(phases, "log").find(({ outcome }) => outcome === "refused");
  const afterMs = refused === undefined ? null : refused.at - (refused.revoked?.at ?? 0);
  return {
    passed: afterMs !== null && afterMs <= LOG_MS,
    expectation: `a token revoked in the log while the authority is down is refused within ${formatDuration(LOG_MS)}`,
    observed: afterMs === null ? "never" : `after ${formatDuration(afterMs)}`,
  };
}

function checkRevokedByProvider(phases: readonly Phase[]): CheckResult {
  const refused = findRevokedSamples(phases, "provider").find(({ outcome }) => outcome === "refused");
  const thaw = phases[phases.findIndex(({ name }) => name === "frozen") + 1];
  const afterMs =
    refused === undefined || thaw === undefined ? null : Math.max(0, refused.at - thaw.startedAt);
  return {
    passed: afterMs !== null && afterMs <= RECOVERY_MS,
    expectation: `a token revoked at the provider before it froze is refused within ${formatDuration(RECOVERY_MS)} of its thaw`,
    observed: afterMs === null ? "never" : `after ${formatDuration(afterMs)}`,
  };
}

function checkRevokedStaysRevoked(phases: readonly Phase[]): CheckResult {
  const passed = (["log", "provider"] as const).flatMap((by) => {
    const sent = findRevokedSamples(phases, by);
    const first = sent.findIndex(({ outcome }) => outcome === "refused");
    return first < 0
      ? []
      : sent.slice(first).filter(({ outcome }) => outcome === "ok" || outcome === "degraded");
  });
  return {
    passed: passed.length === 0,
    expectation: "what was refused stays refused",
    observed: `${passed.length} passed`,
  };
}

function checkSlowAuthority(phases: readonly Phase[]): CheckResult {
  const slow = phases.find(({ name }) => name === "slow");
  const otherwise = (slow?.good.length ?? 0) - (slow?.count("ok") ?? 0);
  const expectation = "an authority that is slow (150 ms) and healthy degrades nothing";
  return {
    passed: slow !== undefined && otherwise === 0,
    expectation,
    observed: `${otherwise} were served otherwise`,
  };
}

function checkNoDroppedConnection({ dropped, opened }: WebSocketReport): CheckResult {
  const codes = [...new Set(dropped.map(({ code }) => code))].join(", ");
  return {
    passed: dropped.length === 0,
    expectation: "no connection is dropped",
    observed: `${dropped.length} of ${opened} were${codes && `, with ${codes}`}`,
  };
}

function checkNoLostMessage({ sent, answered }: WebSocketReport): CheckResult {
  return {
    passed: answered >= sent && sent > 0,
    expectation: "what is said over them is answered",
    observed: `${sent - answered} of ${sent} messages were not`,
  };
}

/** The connections of the tokens that were revoked. */
function checkRevokedConnections(
  phases: readonly Phase[],
  { revoked, closed: all }: WebSocketReport,
): readonly CheckResult[] {
  const thaw = phases[phases.findIndex(({ name }) => name === "frozen") + 1];
  return revoked.map(({ token, by, at }) => {
    const connections = all.filter((one) => one.token === token);
    const from = by === "log" ? at : (thaw?.startedAt ?? Infinity);
    const mostMs = by === "log" ? LOG_MS : RECOVERY_MS;
    const lastMs = Math.max(...connections.map((one) => Math.max(0, one.at - from)));
    return {
      passed: connections.length > 0 && lastMs <= mostMs && connections.every(({ code }) => code === REVOKED),
      expectation: `connections of a token revoked ${by === "log" ? "in the log" : "at the provider"} are closed within ${formatDuration(mostMs)}`,
      observed:
        connections.length === 0
          ? "none was"
          : `${connections.length} were, the last after ${formatDuration(lastMs)}`,
    };
  });
}

function sumOver(phases: readonly Phase[], count: (phase: Phase) => number): number {
  return phases.reduce((sum, phase) => sum + count(phase), 0);
}

/** What became of the revoked token, in order. */
function findRevokedSamples(phases: readonly Phase[], by: RevokedToken["by"]): readonly Sample[] {
  return phases.flatMap(({ samples }) => samples).filter(({ revoked }) => revoked?.by === by);
}
