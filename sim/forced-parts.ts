import { mixSeed } from "../src/testing/simulation/history.ts";
import { seededRandom } from "../src/testing/random.ts";
import { Draw } from "./draw.ts";
import { drawUpgrades } from "./older/planned-upgrades.ts";
import { drawGuard, type Plan, type PlannedGuard } from "./plan.ts";
import { addFaults, drawFaults, type FaultKind } from "./planned-faults.ts";

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
/** The strength of a stall that lets a command take up to a third of a second longer. */
const SLOW_STORE = 0.03;
/** The strengths of steps by an hour back, a minute ahead and a minute back. */
const SET_BACK = [1 / 6, 4 / 6] as const;
/** The strengths of the last three faults of a cluster, in which a slot moves. */
const MOVES_SLOTS = [0.751, 1] as const;
/** The strengths of losses in which a server deletes keys. */
const EVICTS = [0, 0.24] as const;

/** The mean pause between two forced upgrades. */
const UPGRADE_PAUSE_MS = 15 * SECOND;

/** Parts and faults that a run can be made to have, whatever its seed draws. */
export const forcedParts = [
  "calm",
  "authority",
  "sockets",
  "people",
  "cut off",
  "store hangs",
  "store refuses",
  "older services",
  "upgrades",
  "key rotations",
  "clock steps",
  "clocks set back",
  "losses",
  "evictions",
  "resharding",
] as const;

export type ForcedPart = (typeof forcedParts)[number];

type Force = (plan: Plan) => Plan;

const force: Readonly<Record<ForcedPart, Force>> = {
  /** No faults but those of the parts that follow. */
  calm: (plan) => ({ ...plan, network: { drop: 0, duplicate: 0, slow: 0 }, faults: [] }),
  /** Guards that ask an authority, which fails several times. */
  authority: (plan) => {
    const guards = withGuards(plan, 2).map((guard) => ({ ...guard, hasAuthority: true }));
    const sockets = { ...plan.sockets, recheckMs: 20 * SECOND };
    return withFaults({ ...plan, guards, sockets }, "authority fails", 150 * SECOND);
  },
  sockets: (plan) => ({ ...plan, sockets: { ...plan.sockets, clients: 3, maxPerSubject: 100 } }),
  /**
   * Busy people on a network that repeats no request, because the second change of a password ends the session of the
   * first. While the store is a little slow, changes of one password overtake each other.
   */
  people: (plan) => {
    const busy = {
      ...plan,
      people: 3,
      pauseMs: 5 * SECOND,
      lifetimes: { ...plan.lifetimes, accessTokenTtlMs: 5 * MINUTE },
      network: { drop: 0, duplicate: 0, slow: plan.network.slow },
      faults: plan.faults.filter(({ kind }) => kind !== "lossy network"),
    };
    return withFaults(busy, "store stalls", 15 * SECOND, { strengths: [0, SLOW_STORE] });
  },
  /** A guard with a small bound that cannot reach the services, while sessions end and clients keep old tokens. */
  "cut off": (plan) => {
    const guards = withGuards(plan, 1).map((guard) => ({ ...guard, maxRevocationAgeMs: 15 * SECOND }));
    const clients = { ...plan.clients, keepers: 4, administrators: 2 };
    const lifetimes = { ...plan.lifetimes, accessTokenTtlMs: 5 * MINUTE };
    const busy = { ...plan, guards, clients, lifetimes, pauseMs: 5 * SECOND };
    return withFaults(busy, "cut off", 2 * MINUTE);
  },
  /** A store that sometimes never answers, and guards that read the log from it without a service between them. */
  "store hangs": (plan) => {
    const guards = withGuards(plan, 1).map((guard) => ({ ...guard, readsStore: true }));
    return withFaults({ ...plan, guards }, "store hangs", MINUTE);
  },
  /** A store that often refuses a share of the commands, and clients that present tokens of ended sessions. */
  "store refuses": (plan) => {
    const busy = { ...plan, clients: { ...plan.clients, keepers: 4 }, pauseMs: 5 * SECOND };
    return withFaults(busy, "store refuses", 20 * SECOND);
  },
  /** No service knows pages of the log and numbers of cut-offs, and cut-offs are frequent. */
  "older services": (plan) => ({
    ...plan,
    guards: withGuards(plan, 1),
    olderServices: plan.services,
    upgrades: drawUpgrades(createDraw(plan, "upgrades"), plan.faultyMs),
    clients: { ...plan.clients, keepers: 2, administrators: 1 },
    faults: plan.faults.filter(({ kind }) => kind !== "clock step"),
  }),
  /** Upgrades all the time, frequent refreshes, and clients that are offline between a refresh and its answer. */
  upgrades: (plan) => {
    const upgrades = drawUpgrades(
      createDraw(plan, "upgrades"),
      plan.faultyMs,
      plan.faultyMs / UPGRADE_PAUSE_MS,
    );
    const lifetimes = { ...plan.lifetimes, accessTokenTtlMs: 30 * SECOND };
    const network = { ...plan.network, drop: 0.03 };
    const faults = plan.faults.filter(({ kind }) => kind !== "clock step");
    const busy = { ...plan, olderServices: plan.services, upgrades, lifetimes, network, faults };
    return withFaults({ ...busy, pauseMs: 5 * SECOND }, "client offline", 7 * SECOND);
  },
  /** Keys that sign before a guard can have seen them, and tokens that live for a short time. */
  "key rotations": (plan) => ({
    ...plan,
    guards: withGuards(plan, 1),
    rotatesOften: true,
    pauseMs: 5 * SECOND,
    clients: { ...plan.clients, administrators: 1 },
    lifetimes: { ...plan.lifetimes, accessTokenTtlMs: 30 * SECOND },
  }),
  /** Clocks that are set, and clients that keep tokens until they have expired. */
  "clock steps": (plan) => {
    const clients = { ...plan.clients, keepers: 2 };
    const lifetimes = { ...plan.lifetimes, accessTokenTtlMs: 2 * MINUTE };
    const busy = { ...plan, clients, lifetimes, olderServices: [], upgrades: [], pauseMs: 5 * SECOND };
    return withFaults(busy, "clock step", 2 * MINUTE);
  },
  /** Clocks of guards that are set back, and not those of the services. Tokens expire in the time that is shown twice. */
  "clocks set back": (plan) => {
    const guards = withGuards(plan, 2);
    const clients = { ...plan.clients, keepers: 4 };
    const lifetimes = { ...plan.lifetimes, accessTokenTtlMs: 30 * SECOND };
    const faults = plan.faults.filter(({ kind }) => kind !== "clock step");
    const busy = { ...plan, guards, clients, lifetimes, faults, olderServices: [], pauseMs: 5 * SECOND };
    return withFaults(busy, "clock step", MINUTE, { strengths: SET_BACK, services: [] });
  },
  /** A store that loses acknowledged writes, most of all those of refreshes and of ends of sessions. */
  losses: (plan) => withFaults(losingPlan(plan), "store loses writes", MINUTE),
  /** A server that deletes keys, and guards that have to load the log again. */
  evictions: (plan) => {
    const guards = withGuards(plan, 1).map((guard) => ({ ...guard, hasSnapshots: false }));
    const losing = losingPlan({ ...plan, guards });
    const evicting = withFaults(losing, "store loses writes", 90 * SECOND, { strengths: EVICTS });
    return withFaults(evicting, "crash", MINUTE, { services: [] });
  },
  /** Busy clients of a cluster that moves slots, and frequent refreshes. Other databases have other faults then. */
  resharding: (plan) => {
    const clients = { ...plan.clients, keepers: 2, administrators: 1 };
    const lifetimes = { ...plan.lifetimes, accessTokenTtlMs: 30 * SECOND };
    const busy = { ...plan, clients, lifetimes, pauseMs: 2 * SECOND };
    return withFaults(busy, "store refuses", 40 * SECOND, { strengths: MOVES_SLOTS });
  },
};

/** Busy clients of a store that may lose acknowledged writes, on a network that repeats no request. */
function losingPlan(plan: Plan): Plan {
  return {
    ...plan,
    pauseMs: 2 * SECOND,
    replication: { replicas: 1, confirmations: 0 },
    clients: { ...plan.clients, keepers: 2, administrators: 2 },
    lifetimes: { ...plan.lifetimes, accessTokenTtlMs: 5 * MINUTE },
    network: { ...plan.network, duplicate: 0 },
    faults: plan.faults.filter(({ kind }) => kind !== "lossy network"),
  };
}

/** Changes a plan so that its run has these parts. */
export function forceParts(plan: Plan, parts: readonly ForcedPart[]): Plan {
  return parts.reduce((changed, part) => force[part](changed), plan);
}

function createDraw({ seed }: Plan, purpose: string): Draw {
  return new Draw(seededRandom(mixSeed(seed, `forced ${purpose}`)));
}

/** The guards of the plan, and further ones up to a number. */
function withGuards(plan: Plan, count: number): readonly PlannedGuard[] {
  const draw = createDraw(plan, "guards");
  const missing = Math.max(0, count - plan.guards.length);
  const added = Array.from({ length: missing }, (_, index) => drawGuard(draw, plan.guards.length + index));
  return [...plan.guards, ...added];
}

interface AddedFaults {
  /** Their weakest and their greatest strength. */
  readonly strengths?: readonly [weakest: number, strongest: number];
  /** The services that they can hit. Default all. */
  readonly services?: readonly string[];
}

/** Adds faults of a kind. */
function withFaults(
  plan: Plan,
  kind: FaultKind,
  meanPauseMs: number,
  { strengths: [weakest, strongest] = [0, 1], services = plan.services }: AddedFaults = {},
): Plan {
  const { faultyMs, lifetimes } = plan;
  const guards = plan.guards.map(({ name }) => name);
  const targets = { faultyMs, services, guards, conflictMs: lifetimes.conflictMs };
  const added = drawFaults(createDraw(plan, kind), [kind], targets, meanPauseMs);
  const scaled = added.map((fault) => ({
    ...fault,
    strength: weakest + fault.strength * (strongest - weakest),
  }));
  return { ...plan, faults: addFaults(plan.faults, scaled) };
}
