import type { SimulatedProcess, World } from "../src/testing/simulation/index.ts";
import type { AuthorityMode, Deployment } from "./deployment.ts";
import type { FaultKind, PlannedFault } from "./planned-faults.ts";
import type { StoreFault } from "./stores/store-fault.ts";
import type { SimulatedDatabase } from "./stores/simulated-database.ts";

/** The parts that faults hit. */
export interface FaultSurroundings {
  readonly world: World;
  readonly deployment: Deployment;
  readonly database: SimulatedDatabase;
  readonly clients: readonly SimulatedProcess[];
}

type End = () => void;
type Begin = (fault: PlannedFault, surroundings: FaultSurroundings) => End;

const nothing: End = () => undefined;
const authorityModes: readonly AuthorityMode[] = ["hang", "503", "html", "slow"];
const clockSteps = [3_600_000, -3_600_000, 60_000, -60_000, 4_000, -4_000];
const MAX_STALL_MS = 12_000;
const RESTART_MS = 1_000;
/** The clocks of cheap machines are wrong by up to this. */
const MAX_DRIFT = 0.001;

/** Starts each fault at its time, and ends it. Both are in the history. */
export function scheduleFaults(faults: readonly PlannedFault[], surroundings: FaultSurroundings): void {
  const { world } = surroundings;
  for (const fault of faults) {
    const { number, kind, target, at, durationMs } = fault;
    if (kind === "store loses writes" && losingFaults(surroundings).length === 0) continue;
    world.after(at, () => {
      const end = begins[kind](fault, surroundings);
      const details = {
        target,
        durationMs: Math.round(durationMs),
        ...(kind === "clock step" && { ms: stepOf(fault) }),
      };
      world.record("fault", { number, fault: kind, ...details });
      world.after(durationMs, () => {
        end();
        world.record("fault ended", { number, fault: kind, target });
      });
    });
  }
}

function targetOf({ target }: PlannedFault, { world }: FaultSurroundings): SimulatedProcess {
  const found = world.processes.find(({ name }) => name === target);
  if (found === undefined) throw new Error(`there is no process "${target}"`);
  return found;
}

/** One of several, chosen by the strength of the fault. */
function choose<T>(values: readonly T[], { strength }: PlannedFault): T {
  return values[Math.floor(strength * values.length)] as T;
}

/** How far a clock step moves the wall clock. */
function stepOf(fault: PlannedFault): number {
  return choose(clockSteps, fault);
}

function crash(power: boolean): Begin {
  return (fault, surroundings) => {
    const process = targetOf(fault, surroundings);
    process.crash({ power });
    return () => process.start();
  };
}

function restart(process: SimulatedProcess, world: World): void {
  process.crash();
  world.after(RESTART_MS, () => process.start());
}

/** Begins a fault of the servers of the database that loses no acknowledged write. `null` when it has no servers. */
function beginServerFault(fault: PlannedFault, { database, world }: FaultSurroundings): End | null {
  if (database.faults === undefined) return null;
  const faults = database.faults.filter(({ losesAcknowledged }) => losesAcknowledged !== true);
  const chosen = choose(faults, fault);
  world.record("server fault", { number: fault.number, fault: chosen.name });
  return chosen.begin(world.random);
}

/** The faults in which the database loses acknowledged writes. */
function losingFaults({ database: { faults = [] } }: FaultSurroundings): readonly StoreFault[] {
  return faults.filter(({ losesAcknowledged }) => losesAcknowledged === true);
}

/** The processes whose clocks drift. */
const drifting = new WeakSet<SimulatedProcess>();

const begins: Readonly<Record<FaultKind, Begin>> = {
  crash: crash(false),
  "power loss": crash(true),
  freeze: (fault, surroundings) => {
    targetOf(fault, surroundings).freeze(fault.durationMs);
    return nothing;
  },
  suspend: (fault, surroundings) => {
    targetOf(fault, surroundings).suspend(fault.durationMs);
    return nothing;
  },
  "clock step": (fault, surroundings) => {
    const process = targetOf(fault, surroundings);
    const ms = stepOf(fault);
    process.stepClock(ms);
    return () => process.stepClock(-ms);
  },
  "clock drift": (fault, surroundings) => {
    const process = targetOf(fault, surroundings);
    if (drifting.has(process)) return nothing;
    drifting.add(process);
    const drift = (2 * fault.strength - 1) * MAX_DRIFT;
    const { now } = surroundings.world;
    process.setClockRate(1 + drift);
    return () => {
      drifting.delete(process);
      process.setClockRate(1);
      process.stepClock(-drift * (surroundings.world.now - now));
    };
  },
  isolation: ({ target }, { world }) => world.network.isolate(target ?? ""),
  "cut off": (fault, surroundings) => {
    const { world, deployment } = surroundings;
    const guard = targetOf(fault, surroundings);
    const ends = deployment.services.map(({ name }) => world.network.cut(guard.name, name));
    // The guard has to start with what it has saved.
    if (fault.strength < 0.5) world.after(fault.durationMs / 2, () => restart(guard, world));
    return () => ends.forEach((end) => end());
  },
  "half-open": ({ target, strength }, { world }) =>
    strength < 0.5 ? world.network.cut(target ?? "", "*") : world.network.cut("*", target ?? ""),
  "lossy network": ({ strength }, { world }) =>
    change(world.network.conditions, { drop: 0.4 * strength, duplicate: 0.2 * strength }),
  "slow network": ({ strength }, { world }) => change(world.network.conditions, { slow: 0.5 * strength }),
  "store stalls": ({ strength }, { database }) =>
    change(database.conditions, { stallMs: MAX_STALL_MS * strength }),
  // A database without deadlines of its own, whose packets get lost.
  "store hangs": (fault, surroundings) =>
    beginServerFault(fault, surroundings) ??
    change(surroundings.database.conditions, { silent: fault.strength }),
  "store refuses": (fault, surroundings) =>
    beginServerFault(fault, surroundings) ??
    change(surroundings.database.conditions, { refused: fault.strength }),
  "store loses answers": (fault, surroundings) =>
    beginServerFault(fault, surroundings) ??
    change(surroundings.database.conditions, { lostAnswers: 0.5 * fault.strength }),
  "store crashes": (_, { database }) => database.crash(),
  "store loses writes": (fault, surroundings) => {
    const chosen = choose(losingFaults(surroundings), fault);
    surroundings.world.record("server fault", { number: fault.number, fault: chosen.name });
    return chosen.begin(surroundings.world.random);
  },
  "authority fails": (fault, { deployment }) =>
    change(deployment, { authority: choose(authorityModes, fault) }),
  "client offline": (fault, { world, clients }) => {
    const { name } = choose(clients, fault);
    return (fault.strength * clients.length * 2) % 1 < 0.5
      ? world.network.isolate(name)
      : world.network.cut("*", name);
  },
  "client sleeps": (fault, { clients }) => {
    choose(clients, fault).suspend(fault.durationMs);
    return nothing;
  },
};

/** The values of a member: the first one, and those of the faults that hold. */
interface Changes {
  readonly base: unknown;
  readonly active: unknown[];
}

const changes = new WeakMap<object, Map<string, Changes>>();

/** Sets members until the returned function is called. Faults overlap: the last one that still holds wins. */
function change<T extends object>(target: T, members: Partial<T>): End {
  const known = changes.get(target) ?? new Map<string, Changes>();
  changes.set(target, known);
  const ends = Object.entries(members).map(([name, value]) => {
    const { base, active } = known.get(name) ?? { base: target[name as keyof T], active: [] };
    known.set(name, { base, active });
    const held = { value };
    active.push(held);
    const apply = () =>
      Object.assign(target, { [name]: (active.at(-1) as typeof held | undefined)?.value ?? base });
    apply();
    return () => {
      active.splice(active.indexOf(held), 1);
      apply();
    };
  });
  return () => ends.forEach((end) => end());
}
