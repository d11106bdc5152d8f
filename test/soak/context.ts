import type { Deployment } from "./environment.ts";

/** What a part of the soak works with. */
export interface SoakContext {
  readonly deployment: Deployment;
  /** From 0 to 1, as the seed says. */
  readonly random: () => number;
  /** For whoever waits. */
  readonly progress: (text: string) => void;
}

/** Name → what was measured, for people. */
export type Figures = Readonly<Record<string, string | number>>;

/** Throws unless a promise was kept. */
export function check(claim: string, holds: boolean): asserts holds {
  if (!holds) throw new Error(`broken: ${claim}`);
}

export function perSecond(count: number, sinceMs: number): string {
  return (count / ((performance.now() - sinceMs) / 1000)).toFixed(0);
}

/** The value that a share of them does not exceed. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}
