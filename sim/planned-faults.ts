import type { Draw } from "./draw.ts";

const SECOND = 1_000;
const MINUTE = 60 * SECOND;

/** The kinds of faults. `docs/extend/testing.md` says what each one does. */
const faultKinds = [
  "crash",
  "power loss",
  "freeze",
  "suspend",
  "clock step",
  "clock drift",
  "isolation",
  "half-open",
  "lossy network",
  "slow network",
  "store stalls",
  "store refuses",
  "store loses answers",
  "store crashes",
  "authority fails",
  "client offline",
  "client sleeps",
] as const;

/** Kinds that few runs have. Each is drawn from numbers of its own, so that it changes nothing else about a seed. */
export const rareFaultKinds = ["cut off", "store hangs"] as const;

/** `store loses writes` is drawn by itself, because the checks allow more then. */
export type FaultKind = (typeof faultKinds)[number] | (typeof rareFaultKinds)[number] | "store loses writes";

/** One fault of a run. */
export interface PlannedFault {
  readonly number: number;
  readonly kind: FaultKind;
  /** Milliseconds since the beginning of the run. */
  readonly at: number;
  readonly durationMs: number;
  /** The process that it hits. `null` when it hits the store or the whole network, or a client that is drawn later. */
  readonly target: string | null;
  /** Its strength, from 0 up to 1. */
  readonly strength: number;
}

/** The parts of a run that faults can hit. */
export interface FaultTargets {
  readonly faultyMs: number;
  readonly services: readonly string[];
  readonly guards: readonly string[];
  readonly conflictMs: number;
}

/** Faults begin this long after the start, so that every part has started once. */
const FIRST_MS = 20 * SECOND;

/** The longest duration of each kind. */
const longestMs: Readonly<Record<FaultKind, number>> = {
  crash: 10 * SECOND,
  "power loss": 60 * SECOND,
  freeze: 60 * SECOND,
  suspend: 10 * MINUTE,
  "clock step": 10 * MINUTE,
  "clock drift": 20 * MINUTE,
  isolation: 2 * MINUTE,
  "half-open": 2 * MINUTE,
  "lossy network": 30 * SECOND,
  "slow network": 60 * SECOND,
  "store stalls": 20 * SECOND,
  "store refuses": 30 * SECOND,
  "store loses answers": 20 * SECOND,
  "store crashes": 15 * SECOND,
  "authority fails": 3 * MINUTE,
  "client offline": 3 * MINUTE,
  "client sleeps": 30 * MINUTE,
  "store loses writes": 20 * SECOND,
  "cut off": 4 * MINUTE,
  "store hangs": 10 * SECOND,
};

/** Draws the faults of a run: which kinds exist, how often they come, and each fault with its number. */
export function planFaults(draw: Draw, targets: FaultTargets): PlannedFault[] {
  const kinds = faultKinds.filter(() => draw.chance(0.5));
  const meanPauseMs = draw.pick([20, 45, 120]) * SECOND;
  return drawFaults(draw, kinds, targets, meanPauseMs);
}

/** Draws faults of some kinds, in the order of their times. Their numbers begin at 1. */
export function drawFaults(
  draw: Draw,
  kinds: readonly FaultKind[],
  targets: FaultTargets,
  meanPauseMs: number,
): PlannedFault[] {
  const faults: PlannedFault[] = [];
  if (kinds.length === 0) return faults;
  for (let at = FIRST_MS; ;) {
    at += draw.number(0.1, 1.9) * meanPauseMs;
    if (at >= targets.faultyMs) return faults;
    const kind = draw.pick(kinds);
    const durationMs = Math.min(drawDuration(draw, kind, targets), targets.faultyMs - at);
    const target = drawTarget(draw, kind, targets);
    faults.push({ number: faults.length + 1, kind, at, durationMs, target, strength: draw.number(0, 1) });
  }
}

/** Draws faults in which the store loses acknowledged writes. Most runs have none. Their numbers follow the others. */
export function planLosses(draw: Draw, targets: FaultTargets, firstNumber: number): PlannedFault[] {
  const kind = "store loses writes";
  const count = draw.chance(0.3) ? draw.whole(1, 4) : 0;
  return Array.from({ length: count }, (_, index) => {
    const at = draw.number(FIRST_MS, targets.faultyMs);
    const durationMs = Math.min(drawDuration(draw, kind, targets), targets.faultyMs - at);
    return { number: firstNumber + index, kind, at, durationMs, target: null, strength: draw.number(0, 1) };
  });
}

/** Adds faults behind those of a run, so that the others keep their numbers. */
export function addFaults(
  faults: readonly PlannedFault[],
  added: readonly PlannedFault[],
): readonly PlannedFault[] {
  const last = faults.at(-1)?.number ?? 0;
  return [...faults, ...added.map((fault, index) => ({ ...fault, number: last + index + 1 }))];
}

function drawDuration(draw: Draw, kind: FaultKind, { conflictMs }: FaultTargets): number {
  const ms = draw.number(0.02, 1) ** 2 * longestMs[kind];
  // A process that works on an old request after conflictMs makes a client look like a thief (docs/why/threat-model.md).
  return kind === "freeze" || kind === "suspend" ? Math.min(ms, conflictMs / 2) : ms;
}

function drawTarget(draw: Draw, kind: FaultKind, { services, guards }: FaultTargets): string | null {
  if (kind === "cut off") return draw.pick(guards);
  if (/^(store|authority|client|lossy|slow)/.test(kind)) return null;
  return draw.pick([...services, ...guards]);
}
