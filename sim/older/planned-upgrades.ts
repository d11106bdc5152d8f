import type { Draw } from "../draw.ts";

const SECOND = 1_000;

/** The versions of the schema before this one, which a SQLite file can have. */
const OLDER_SCHEMAS = [1, 2, 3, 4, 5] as const;
/** By the first upgrade, clients have begun sessions and users have been added. */
const FIRST_MS = [15 * SECOND, 60 * SECOND] as const;
/** The share of the later upgrades for which all services stop. */
const STOP_SHARE = 0.3;

/** A moment at which records of the store are those of the version before. */
export interface PlannedUpgrade {
  /** Milliseconds since the beginning of the run. */
  readonly at: number;
  /** The version of the schema that a SQLite file has then. */
  readonly schema: number;
  /**
   * The share of the records in Redis that the version before has written. With 1 it has written all of them, all services
   * stop, and services of this version take their place. With less, a process of that version runs beside the others.
   */
  readonly share: number;
}

/** Draws the upgrades of a run with an older version. The first one finds a store that only the older version has used. */
export function drawUpgrades(
  draw: Draw,
  faultyMs: number,
  count: number = draw.whole(1, 5),
): readonly PlannedUpgrade[] {
  const first = Math.min(draw.number(...FIRST_MS), faultyMs / 2);
  const times = [first, ...Array.from({ length: count }, () => draw.number(first, faultyMs))];
  return times.map((at, index) => ({
    at,
    schema: draw.pick(OLDER_SCHEMAS),
    share: index === 0 || draw.chance(STOP_SHARE) ? 1 : draw.number(0.2, 0.9),
  }));
}
