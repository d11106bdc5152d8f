/** The first line in which the traces of two runs differ. */
export interface Divergence {
  /** Number of the line, from 0. */
  readonly step: number;
  /** The line of the first run. `undefined` when it ended earlier. */
  readonly first: string | undefined;
  readonly second: string | undefined;
  /** The last lines that both runs share. */
  readonly before: readonly string[];
}

const CONTEXT = 5;

/**
 * Compares the traces of two runs of one seed. `null` when they are equal. A line names its time, its process
 * and the place in the source that planned it. There the runs first took different ways.
 *
 * @example
 * ```ts
 * import { findDivergence, World } from "holdfast/testing/simulation";
 *
 * async function trace(): Promise<readonly string[]> {
 *   const world = new World({ seed: 1, trace: true });
 *   world.process("worker", async ({ sleep, random }) => await sleep(1_000 * random()));
 *   await world.run(10_000);
 *   return world.trace;
 * }
 *
 * console.log(findDivergence(await trace(), await trace())); // null
 * ```
 */
export function findDivergence(first: readonly string[], second: readonly string[]): Divergence | null {
  const length = Math.max(first.length, second.length);
  for (let step = 0; step < length; step++) {
    if (first[step] === second[step]) continue;
    const before = first.slice(Math.max(0, step - CONTEXT), step);
    return { step, first: first[step], second: second[step], before };
  }
  return null;
}
