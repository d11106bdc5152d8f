import { closeCodes } from "../connections/index.ts";
import { quantile, formatDuration } from "./figures.ts";
import type { WebSocketReport } from "./websocket-clients.ts";
import type { Phase } from "./phase.ts";
import { STEADY_MS, RECOVERY_MS } from "./scenario.ts";
import type { Sample } from "./traffic.ts";
import type { RevokedToken } from "./environment.ts";

/** The result of one check: what was expected and what was observed. */
export interface CheckResult {
  readonly passed: boolean;
  readonly expectation: string;
  readonly observed: string;
}

const FIRST_FALLBACK_MS = 100;
/** Far below any timeout of an authority, and above the delay that a busy machine adds to a verification. */
const LATER_FALLBACK_MS = 10;
const LOG_MS = 1_000;
const REVOKED = closeCodes.token_revoked;

/** Runs the checks that apply to every service, and with `isLocal` those that need the API of the drill. */
export function runChecks(
  phases: readonly Phase[],
  webSockets: WebSocketReport,
  isLocal: boolean,
): readonly CheckResult[] {
  const forEveryService = [checkNoFalseRefusal(phases), checkRetryAfter(phases), checkRecovery(phases)];
  if (!isLocal) return forEveryService;
  const webSocketChecks =
    webSockets.opened === 0
      ? []
      : [
          checkNoDroppedConnection(webSockets),
          checkNoLostMessage(webSockets),
          ...checkRevokedConnections(phases, webSockets),
        ];
  return [
    ...forEveryService,
    checkAllServed(phases),
    checkFirstFallback(phases),
    checkLaterFallbacks(phases),
    checkRevokedByLog(phases),
    checkRevokedByProvider(phases),
    checkRevokedStaysRevoked(phases),
    checkSlowAuthority(phases),
    ...webSocketChecks,
  ];
}

function checkNoFalseRefusal(phases: readonly Phase[]): CheckResult {
  const refused = sumOver(phases, (phase) => phase.count("refused"));
  const all = sumOver(phases, (phase) => phase.good.length);
  const observed = `${refused} false 401 in ${all} requests`;
  return { passed: refused === 0 && all > 0, expectation: "no good token is refused", observed };
}

function checkAllServed(phases: readonly Phase[]): CheckResult {
  const unserved = sumOver(phases, (phase) => phase.count("unavailable") + phase.count("failed"));
  return {
    passed: unserved === 0,
    expectation: "every good token is served throughout",
    observed: `${unserved} were not`,
  };
}

function checkRetryAfter(phases: readonly Phase[]): CheckResult {
  const unavailable = phases.flatMap(({ samples }) =>
    samples.filter(({ outcome }) => outcome === "unavailable"),
  );
  const without = unavailable.filter(({ hasRetryAfter }) => !hasRetryAfter).length;
  return {
    passed: without === 0,
    expectation: "every 503 has Retry-After",
    observed: `${without} of ${unavailable.length} do not`,
  };
}

/** A single slow answer after the recovery does not count. A phase that ends with impaired answers did not recover. */
function checkRecovery(phases: readonly Phase[]): CheckResult {
  const restored = phases.filter(({ name }) => name === "restored");
  const times = restored.map((phase) => {
    const last = phase.good.at(-1)?.at ?? phase.startedAt;
    const endsSteady = last - phase.startedAt - phase.impairedUntilMs >= STEADY_MS / 2;
    return endsSteady ? phase.steadyFromMs(STEADY_MS / 2) : Infinity;
  });
  return {
    passed: times.length > 0 && times.every((ms) => ms <= RECOVERY_MS),
    expectation: `recovers automatically within ${formatDuration(RECOVERY_MS)}`,
    observed: times.map((ms) => (ms === Infinity ? "not at all" : formatDuration(ms))).join(", "),
  };
}

/** The soft timeout grows with the recent answers of the authority, and the bound grows with the soft timeout. */
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
    expectation: "later decisions wait for no answer",
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
  const recovery = phases[phases.findIndex(({ name }) => name === "frozen") + 1];
  const afterMs =
    refused === undefined || recovery === undefined ? null : Math.max(0, refused.at - recovery.startedAt);
  return {
    passed: afterMs !== null && afterMs <= RECOVERY_MS,
    expectation: `a token revoked at the provider before it froze is refused within ${formatDuration(RECOVERY_MS)} after it answers again`,
    observed: afterMs === null ? "never" : `after ${formatDuration(afterMs)}`,
  };
}

function checkRevokedStaysRevoked(phases: readonly Phase[]): CheckResult {
  const passed = (["log", "provider"] as const).flatMap((by) => {
    const sent = findRevokedSamples(phases, by);
    // A request that was sent before the first refusal arrived may have been decided before it.
    const refusedAt = Math.min(
      ...sent.filter(({ outcome }) => outcome === "refused").map(({ at, tookMs }) => at + tookMs),
    );
    return sent.filter(({ at, outcome }) => at > refusedAt && (outcome === "ok" || outcome === "degraded"));
  });
  return {
    passed: passed.length === 0,
    expectation: "a refused token stays refused",
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
    expectation: "every message over a connection is answered",
    observed: `${sent - answered} of ${sent} messages were not`,
  };
}

/** Checks the connections of the revoked tokens. */
function checkRevokedConnections(
  phases: readonly Phase[],
  { revoked, closed: all }: WebSocketReport,
): readonly CheckResult[] {
  const recovery = phases[phases.findIndex(({ name }) => name === "frozen") + 1];
  return revoked.map(({ token, by, at }) => {
    const connections = all.filter((one) => one.token === token);
    const from = by === "log" ? at : (recovery?.startedAt ?? Infinity);
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

/** The samples of the token that was revoked by `by`, in the order of the requests. */
function findRevokedSamples(phases: readonly Phase[], by: RevokedToken["by"]): readonly Sample[] {
  return phases.flatMap(({ samples }) => samples).filter(({ revoked }) => revoked?.by === by);
}
