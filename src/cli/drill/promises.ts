import { closeCodes } from "../../guard/connections/close-codes.ts";
import { quantile, span } from "./figures.ts";
import type { Told } from "./live.ts";
import type { Phase } from "./phase.ts";
import { CALM_MS, RECOVERY_MS } from "./story.ts";
import type { Sample } from "./traffic.ts";
import type { Revoked } from "./world.ts";

/** What was promised, and what was seen of it. */
export interface Judgement {
  readonly kept: boolean;
  readonly promise: string;
  readonly seen: string;
}

const FIRST_FALLBACK_MS = 100;
/** Far less than anybody would wait for an authority, and more than a busy machine adds to a proof. */
const LATER_FALLBACK_MS = 10;
const LOG_MS = 1_000;
const REVOKED = closeCodes.token_revoked;

/** What can be promised of every service, and of ours besides. */
export function judge(phases: readonly Phase[], live: Told, isOurs: boolean): readonly Judgement[] {
  const everywhere = [nobodyRefused(phases), retryAfter(phases), recovered(phases)];
  if (!isOurs) return everywhere;
  const connected = live.opened === 0 ? [] : [nobodyDropped(live), nothingLost(live), ...ended(phases, live)];
  return [
    ...everywhere,
    everybodyServed(phases),
    firstFallback(phases),
    laterFallbacks(phases),
    revokedByLog(phases),
    revokedByProvider(phases),
    revokedStaysRevoked(phases),
    slowDegradesNothing(phases),
    ...connected,
  ];
}

function nobodyRefused(phases: readonly Phase[]): Judgement {
  const refused = total(phases, (phase) => phase.count("refused"));
  const all = total(phases, (phase) => phase.good.length);
  const seen = `${refused} false 401 in ${all} requests`;
  return { kept: refused === 0 && all > 0, promise: "no good token is refused", seen };
}

function everybodyServed(phases: readonly Phase[]): Judgement {
  const missed = total(phases, (phase) => phase.count("unavailable") + phase.count("failed"));
  return { kept: missed === 0, promise: "every good token is served throughout", seen: `${missed} were not` };
}

function retryAfter(phases: readonly Phase[]): Judgement {
  const told = phases.flatMap(({ samples }) => samples.filter(({ outcome }) => outcome === "unavailable"));
  const mute = told.filter(({ saysWhen }) => !saysWhen).length;
  return {
    kept: mute === 0,
    promise: "every 503 says when to retry",
    seen: `${mute} of ${told.length} do not`,
  };
}

/** An answer that takes long once in a while, after that, is no outage; one that goes on until the end is. */
function recovered(phases: readonly Phase[]): Judgement {
  const restored = phases.filter(({ name }) => name === "restored");
  const times = restored.map((phase) => {
    const last = phase.good.at(-1)?.at ?? phase.began;
    const endsCalm = last - phase.began - phase.ailedUntilMs >= CALM_MS / 2;
    return endsCalm ? phase.calmFromMs(CALM_MS / 2) : Infinity;
  });
  return {
    kept: times.length > 0 && times.every((ms) => ms <= RECOVERY_MS),
    promise: `recovers by itself within ${span(RECOVERY_MS)}`,
    seen: times.map((ms) => (ms === Infinity ? "not at all" : span(ms))).join(", "),
  };
}

/** A guard waits longer for an authority that took long before: by no more than that it may exceed the usual. */
function firstFallback(phases: readonly Phase[]): Judgement {
  const firsts = ["down", "frozen"].map((name) => {
    const { good = [] } = phases.find((phase) => phase.name === name) ?? {};
    const first = good.find(({ outcome }) => outcome === "degraded");
    return { name, ms: first?.decisionMs ?? Infinity, patienceMs: first?.patienceMs ?? 0 };
  });
  const kept = firsts.every(({ ms, patienceMs }) => ms < Math.max(FIRST_FALLBACK_MS, patienceMs + 20));
  const promise = `the first decision without the authority takes less than ${FIRST_FALLBACK_MS} ms`;
  const seen = firsts.map(({ name, ms, patienceMs }) => {
    return `${ms === Infinity ? "none" : span(ms)} (${name}, patience ${span(patienceMs)})`;
  });
  return { kept, promise, seen: seen.join(", ") };
}

function laterFallbacks(phases: readonly Phase[]): Judgement {
  const later = phases
    .flatMap((phase) => phase.good)
    .filter(({ outcome, patienceMs }) => outcome === "degraded" && patienceMs === 0)
    .flatMap(({ decisionMs }) => decisionMs ?? []);
  const median = quantile(later, 0.5);
  return {
    kept: median === null || median < LATER_FALLBACK_MS,
    promise: "later ones wait for nobody",
    seen: median === null ? "there were none" : `median ${span(median)} of ${later.length}`,
  };
}

function revokedByLog(phases: readonly Phase[]): Judgement {
  const refused = watched(phases, "log").find(({ outcome }) => outcome === "refused");
  const afterMs = refused === undefined ? null : refused.at - (refused.revoked?.at ?? 0);
  return {
    kept: afterMs !== null && afterMs <= LOG_MS,
    promise: `a token revoked in the log while the authority is down is refused within ${span(LOG_MS)}`,
    seen: afterMs === null ? "never" : `after ${span(afterMs)}`,
  };
}

function revokedByProvider(phases: readonly Phase[]): Judgement {
  const refused = watched(phases, "provider").find(({ outcome }) => outcome === "refused");
  const thaw = phases[phases.findIndex(({ name }) => name === "frozen") + 1];
  const afterMs = refused === undefined || thaw === undefined ? null : Math.max(0, refused.at - thaw.began);
  return {
    kept: afterMs !== null && afterMs <= RECOVERY_MS,
    promise: `a token revoked at the provider before it froze is refused within ${span(RECOVERY_MS)} of its thaw`,
    seen: afterMs === null ? "never" : `after ${span(afterMs)}`,
  };
}

function revokedStaysRevoked(phases: readonly Phase[]): Judgement {
  const passed = (["log", "provider"] as const).flatMap((by) => {
    const sent = watched(phases, by);
    const first = sent.findIndex(({ outcome }) => outcome === "refused");
    return first < 0
      ? []
      : sent.slice(first).filter(({ outcome }) => outcome === "ok" || outcome === "degraded");
  });
  return {
    kept: passed.length === 0,
    promise: "what was refused stays refused",
    seen: `${passed.length} passed`,
  };
}

function slowDegradesNothing(phases: readonly Phase[]): Judgement {
  const slow = phases.find(({ name }) => name === "slow");
  const otherwise = (slow?.good.length ?? 0) - (slow?.count("ok") ?? 0);
  const promise = "an authority that is slow (150 ms) and healthy degrades nothing";
  return { kept: slow !== undefined && otherwise === 0, promise, seen: `${otherwise} were served otherwise` };
}

function nobodyDropped({ dropped, opened }: Told): Judgement {
  const codes = [...new Set(dropped.map(({ code }) => code))].join(", ");
  return {
    kept: dropped.length === 0,
    promise: "no connection is dropped",
    seen: `${dropped.length} of ${opened} were${codes && `, with ${codes}`}`,
  };
}

function nothingLost({ sent, answered }: Told): Judgement {
  return {
    kept: answered >= sent && sent > 0,
    promise: "what is said over them is answered",
    seen: `${sent - answered} of ${sent} messages were not`,
  };
}

/** The connections of the tokens that were revoked. */
function ended(phases: readonly Phase[], { revoked, ended: all }: Told): readonly Judgement[] {
  const thaw = phases[phases.findIndex(({ name }) => name === "frozen") + 1];
  return revoked.map(({ token, by, at }) => {
    const theirs = all.filter((one) => one.token === token);
    const from = by === "log" ? at : (thaw?.began ?? Infinity);
    const mostMs = by === "log" ? LOG_MS : RECOVERY_MS;
    const lastMs = Math.max(...theirs.map((one) => Math.max(0, one.at - from)));
    return {
      kept: theirs.length > 0 && lastMs <= mostMs && theirs.every(({ code }) => code === REVOKED),
      promise: `connections of a token revoked ${by === "log" ? "in the log" : "at the provider"} are closed within ${span(mostMs)}`,
      seen: theirs.length === 0 ? "none was" : `${theirs.length} were, the last after ${span(lastMs)}`,
    };
  });
}

function total(phases: readonly Phase[], count: (phase: Phase) => number): number {
  return phases.reduce((sum, phase) => sum + count(phase), 0);
}

/** What became of the revoked token, in order. */
function watched(phases: readonly Phase[], by: Revoked["by"]): readonly Sample[] {
  return phases.flatMap(({ samples }) => samples).filter(({ revoked }) => revoked?.by === by);
}
