import type { Deployment } from "./deployment.ts";

/** The context of a part of the soak test. */
export interface SoakContext {
  readonly deployment: Deployment;
  /** Returns a number from 0 up to 1, determined by the seed. */
  readonly random: () => number;
  /** Reports progress to the person who waits. */
  readonly progress: (text: string) => void;
}

/** Measurements for people, by name. */
export type Figures = Readonly<Record<string, string | number>>;

/** Throws when a claim does not hold. */
export function check(claim: string, holds: boolean): asserts holds {
  if (!holds) throw new Error(`broken: ${claim}`);
}

export function perSecond(count: number, sinceMs: number): string {
  return (count / ((performance.now() - sinceMs) / 1000)).toFixed(0);
}

/** Returns the value that the given share of the values does not exceed. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}
