import type { DegradedMode } from "../src/core/rules.ts";
import { mixSeed } from "../src/testing/simulation/history.ts";
import { seededRandom } from "../src/testing/random.ts";
import { Draw } from "./draw.ts";
import { drawUpgrades, type PlannedUpgrade } from "./older/planned-upgrades.ts";
import { drawSockets, type PlannedSockets } from "./plan-sockets.ts";
import {
  addFaults,
  drawFaults,
  planFaults,
  planLosses,
  rareFaultKinds,
  type FaultTargets,
  type PlannedFault,
} from "./planned-faults.ts";

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

/** The lifetimes of tokens, sessions and keys, in milliseconds. */
interface PlannedLifetimes {
  readonly accessTokenTtlMs: number;
  readonly refreshIdleMs: number;
  readonly refreshAbsoluteMs: number;
  readonly lostAnswerMs: number;
  readonly conflictMs: number;
  readonly keyRotationMs: number;
}

/** A guard in a process of its own. */
export interface PlannedGuard {
  readonly name: string;
  readonly revocationPollMs: number;
  /** The bound B of the age of its revocation view. */
  readonly maxRevocationAgeMs: number;
  readonly degraded: DegradedMode;
  readonly hasAuthority: boolean;
  readonly hasSnapshots: boolean;
  /** Whether it reads the revocation log from the store itself, and not from a service. */
  readonly readsStore: boolean;
  readonly memoryTtlMs: number;
}

/** The numbers of clients of each kind. */
interface PlannedClients {
  /** They acknowledge the tokens of a refresh. */
  readonly acknowledging: number;
  /** They do not know acknowledgements, as an OAuth client does not. */
  readonly plain: number;
  /** Browsers with several tabs of `holdfast/client`. */
  readonly browsers: number;
  /** They present tokens that have expired, were revoked or were never issued. */
  readonly keepers: number;
  /** They replay spent refresh tokens. */
  readonly thieves: number;
  /** They revoke sessions, subjects and keys, and rotate keys. */
  readonly administrators: number;
}

/** Everything about a run that the seed decides before it begins. */
export interface Plan {
  readonly seed: number;
  /** The time with faults, in milliseconds of true time. */
  readonly faultyMs: number;
  /** The time without faults that follows. */
  readonly quietMs: number;
  readonly services: readonly string[];
  /** Those of an older version. They answer the revocation log as it did. */
  readonly olderServices: readonly string[];
  /** The moments at which the version before has written the store. Empty in a run without older services. */
  readonly upgrades: readonly PlannedUpgrade[];
  readonly guards: readonly PlannedGuard[];
  /** How often the guard in a service reads the revocation log. */
  readonly servicePollMs: number;
  readonly lifetimes: PlannedLifetimes;
  readonly clients: PlannedClients;
  readonly sockets: PlannedSockets;
  /** Users of the store, who log in with a password that they change. */
  readonly people: number;
  /** Proxies that ask the gateway of a service. */
  readonly proxies: number;
  /** They ask the services for their health. */
  readonly probers: number;
  /** Whether the administrators mostly rotate keys, and often. */
  readonly rotatesOften: boolean;
  /** The mean pause of a client between two actions. */
  readonly pauseMs: number;
  /** The replicas of each server of Redis, and how many of them confirm a write. `null` is the default of the store. */
  readonly replication: { readonly replicas: number; readonly confirmations: number | null };
  readonly network: { readonly drop: number; readonly duplicate: number; readonly slow: number };
  /** Every fault has a number, so that a run can leave some out and keep the others. */
  readonly faults: readonly PlannedFault[];
}

/** Tolerance of every guard for clocks that differ. */
export const TOLERANCE_MS = 5_000;
/** The bound of the revocation view of the guard in a service, which is the default of the product. */
export const SERVICE_VIEW_MS = 60_000;
const QUIET_MS = 6 * MINUTE;
/** The share of runs with each of the rare kinds of faults, and the mean pause between two of them. */
const RARE_SHARE = 0.2;
const RARE_PAUSE_MS = 2 * MINUTE;

/** Draws a plan. Half of its choices are about which faults and parts exist at all (swarm testing). */
export function drawPlan(seed: number, minutes: number): Plan {
  const draw = new Draw(seededRandom(mixSeed(seed, "plan")));
  const services = Array.from({ length: draw.pick([1, 2, 2, 2, 3]) }, (_, index) => `service-${index + 1}`);
  const readsStore = new Draw(seededRandom(mixSeed(seed, "guards on the store"))).chance(RARE_SHARE);
  const guards = Array.from({ length: draw.pick([0, 1, 1, 2]) }, (_, index) => ({
    ...drawGuard(draw, index),
    readsStore,
  }));
  const lifetimes = drawLifetimes(draw);
  const faultyMs = minutes * MINUTE;
  const isCalm = draw.chance(0.2);
  const faultTargets = {
    faultyMs,
    services,
    guards: guards.map(({ name }) => name),
    conflictMs: lifetimes.conflictMs,
  };
  const plan = {
    seed,
    faultyMs,
    quietMs: QUIET_MS,
    services,
    guards,
    servicePollMs: draw.pick([250, 2_000, 5_000, 5_000]),
    lifetimes,
    clients: {
      acknowledging: draw.whole(1, 4),
      plain: draw.whole(0, 3),
      browsers: draw.pick([0, 1, 1, 2]),
      keepers: draw.whole(0, 2),
      thieves: draw.pick([0, 0, 1]),
      administrators: draw.pick([0, 1, 1]),
    },
    // Its own numbers, so that they change nothing else about a seed.
    sockets: drawSockets(new Draw(seededRandom(mixSeed(seed, "sockets")))),
    proxies: new Draw(seededRandom(mixSeed(seed, "proxies"))).pick([0, 1]),
    probers: new Draw(seededRandom(mixSeed(seed, "probers"))).pick([0, 1]),
    people: new Draw(seededRandom(mixSeed(seed, "people"))).pick([0, 0, 1]),
    pauseMs: draw.pick([5, 10, 20, 40]) * SECOND,
    network: {
      drop: isCalm ? 0 : draw.pick([0, 0.005, 0.02]),
      duplicate: isCalm ? 0 : draw.pick([0, 0.005, 0.02]),
      slow: isCalm ? 0 : draw.pick([0, 0.01, 0.05]),
    },
    faults: drawRareFaults(seed, faultTargets, planFaults(draw, faultTargets)),
    rotatesOften: new Draw(seededRandom(mixSeed(seed, "rotations"))).chance(0.1),
  };
  // Under a clock that was set ahead, a cut-off without a number refuses later logins, too, as it always did.
  const hasClockSteps = plan.faults.some(({ kind }) => kind === "clock step");
  const older = hasClockSteps ? [] : drawOlder(new Draw(seededRandom(mixSeed(seed, "older"))), services);
  const losses = new Draw(seededRandom(mixSeed(seed, "losses")));
  const lost = planLosses(losses, faultTargets, plan.faults.length + 1);
  const faults = [...plan.faults, ...lost];
  const replication = drawReplication(losses, lost.length > 0);
  // A loss takes a second or ten. Only busy clients write something in it.
  const pauseMs = lost.length > 0 ? Math.min(plan.pauseMs, losses.pick([1, 2, 5]) * SECOND) : plan.pauseMs;
  const draws = new Draw(seededRandom(mixSeed(seed, "upgrades")));
  const upgrades = older.length > 0 ? drawUpgrades(draws, faultyMs) : [];
  return { ...plan, olderServices: older, upgrades, faults, replication, pauseMs };
}

/** Only in a run that may lose acknowledged writes, a replica can lack a write that the store has acknowledged. */
function drawReplication(draw: Draw, mayLose: boolean): Plan["replication"] {
  if (!mayLose) return { replicas: 1, confirmations: null };
  return draw.pick([
    { replicas: 2, confirmations: null },
    { replicas: 1, confirmations: 0 },
  ]);
}

/** Adds faults of the kinds that few runs have. */
function drawRareFaults(
  seed: number,
  targets: FaultTargets,
  others: readonly PlannedFault[],
): readonly PlannedFault[] {
  return rareFaultKinds.reduce((faults, kind) => {
    const draw = new Draw(seededRandom(mixSeed(seed, kind)));
    const isDrawn = draw.chance(RARE_SHARE) && (kind !== "cut off" || targets.guards.length > 0);
    return isDrawn ? addFaults(faults, drawFaults(draw, [kind], targets, RARE_PAUSE_MS)) : faults;
  }, others);
}

/** In a rolling update some services are of an older version, while all guards are of this one. */
function drawOlder(draw: Draw, services: readonly string[]): string[] {
  return draw.chance(0.3) ? services.filter(() => draw.chance(0.6)) : [];
}

/** Draws the options of a guard. */
export function drawGuard(draw: Draw, index: number): PlannedGuard {
  const hasAuthority = draw.chance(0.3);
  return {
    name: `guard-${index + 1}`,
    revocationPollMs: draw.pick([1_000, 5_000, 10_000]),
    maxRevocationAgeMs: draw.pick([15_000, 30_000, 60_000]),
    degraded: hasAuthority ? draw.pick<DegradedMode>(["deny", "cached", "local"]) : "deny",
    hasAuthority,
    hasSnapshots: draw.chance(0.6),
    memoryTtlMs: draw.pick([10_000, 60_000, 300_000]),
    readsStore: false,
  };
}

function drawLifetimes(draw: Draw): PlannedLifetimes {
  const accessTokenTtlMs = draw.pick([30 * SECOND, 2 * MINUTE, 5 * MINUTE, 10 * MINUTE]);
  const refreshIdleMs = Math.max(accessTokenTtlMs, draw.pick([10 * MINUTE, HOUR, 24 * HOUR]));
  return {
    accessTokenTtlMs,
    refreshIdleMs,
    refreshAbsoluteMs: Math.max(refreshIdleMs, draw.pick([HOUR, 12 * HOUR, 48 * HOUR])),
    lostAnswerMs: Math.min(refreshIdleMs, draw.pick([10 * MINUTE, HOUR, 24 * HOUR])),
    conflictMs: draw.pick([10, 30, 60]) * SECOND,
    keyRotationMs: Math.max(accessTokenTtlMs, draw.pick([10 * MINUTE, 30 * MINUTE, 24 * HOUR])),
  };
}
