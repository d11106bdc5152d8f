import type { Place } from "./place.ts";

/** What a part of the soak works with. */
export interface Part {
  readonly place: Place;
  /** From 0 to 1, as the seed says. */
  readonly random: () => number;
  /** For whoever waits. */
  readonly progress: (text: string) => void;
}

/** Name → what was measured, for people. */
export type Figures = Readonly<Record<string, string | number>>;

/** Throws unless a promise was kept. */
export function keep(promise: string, kept: boolean): asserts kept {
  if (!kept) throw new Error(`broken: ${promise}`);
}

export function perSecond(count: number, sinceMs: number): string {
  return (count / ((performance.now() - sinceMs) / 1000)).toFixed(0);
}

/** The value that a share of them does not exceed. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}
