import { simulate, type SimulationOptions } from "./simulate.ts";

/** The shortest run that was found in which a check still fails. */
export interface ShrunkRun {
  /** The numbers of the faults that are left out. */
  readonly without: ReadonlySet<number>;
  /** The faults that remain, for people. */
  readonly faults: readonly string[];
  readonly runs: number;
}

/**
 * Leaves out faults of a seed as long as the check still fails: halves first, then smaller parts, at most `maxRuns` runs.
 * The other faults keep their numbers, times and strengths.
 */
export async function shrink(
  run: Pick<SimulationOptions, "seed" | "minutes" | "store" | "forced">,
  check: string,
  maxRuns: number,
): Promise<ShrunkRun> {
  const without = new Set<number>();
  let runs = 0;
  const { plan } = await simulate(run);
  let kept = plan.faults.map(({ number }) => number);

  /** Leaves out each part of this size without which the check still fails. Returns whether there was one. */
  async function leaveOut(size: number): Promise<boolean> {
    const before = without.size;
    for (let start = 0; start < kept.length; start += size) {
      if (runs >= maxRuns) break;
      runs++;
      const candidate = new Set([...without, ...kept.slice(start, start + size)]);
      const { violations } = await simulate({ ...run, without: candidate });
      if (!violations.some((violation) => violation.check === check)) continue;
      for (const number of candidate) without.add(number);
    }
    kept = kept.filter((number) => !without.has(number));
    return without.size > before;
  }

  for (let size = kept.length; size >= 1;) {
    if (runs >= maxRuns) break;
    const hasShrunk = await leaveOut(size);
    if (size === 1 && !hasShrunk) break;
    size = Math.min(Math.max(1, kept.length), hasShrunk ? size : Math.ceil(size / 2));
    if (kept.length === 0) break;
  }
  const faults = plan.faults
    .filter(({ number }) => !without.has(number))
    .map(
      ({ number, kind, target, at }) =>
        `${number} ${kind}${target === null ? "" : ` of ${target}`} at ${Math.round(at / 1_000)} s`,
    );
  return { without, faults, runs };
}
