import type { BucketCounts } from "./metric-readings.ts";

/** Percentiles of the latest observations of a histogram, from what it counted since the start. */
export class PercentileWindow {
  readonly #length: number;
  /** The counts of the latest readings, oldest first. */
  readonly #readings: (readonly number[])[] = [];
  #bounds: readonly number[] = [];

  /** The window has the observations between the newest reading and the one `length` readings before it. */
  constructor(length: number) {
    this.#length = length;
  }

  add({ bounds, counts }: BucketCounts): void {
    this.#bounds = bounds;
    this.#readings.push(counts);
    if (this.#readings.length > this.#length + 1) this.#readings.shift();
  }

  /** The observations in the window. */
  latest(): BucketCounts {
    const [oldest = [], newest = []] = [this.#readings[0], this.#readings.at(-1)];
    return { bounds: this.#bounds, counts: newest.map((count, i) => count - (oldest[i] ?? 0)) };
  }
}

/**
 * The percentile in milliseconds, as a straight line within its bucket. `null` without observations. In the bucket
 * without a bound it is the greatest bound, because nothing more is known.
 */
export function percentileMs({ bounds, counts }: BucketCounts, share: number): number | null {
  const total = counts.reduce((sum, count) => sum + count, 0);
  if (total <= 0) return null;
  let before = 0;
  for (const [i, count] of counts.entries()) {
    const bound = bounds[i];
    if (bound === undefined) break;
    if (count > 0 && before + count >= total * share) {
      const low = bounds[i - 1] ?? 0;
      return (low + (bound - low) * ((total * share - before) / count)) * 1_000;
    }
    before += count;
  }
  return (bounds.at(-1) ?? 0) * 1_000;
}
