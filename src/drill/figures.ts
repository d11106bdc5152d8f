/** Returns the quantile `share`, from 0 to 1, by the nearest rank. `null` for an empty list. */
export function quantile(values: readonly number[], share: number): number | null {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? null;
}

/** Formats milliseconds as `0.21 ms`, `83 ms` or `1.4 s`. */
export function formatDuration(ms: number): string {
  if (ms >= 1000) return `${Math.round(ms / 100) / 10} s`;
  return `${ms < 10 ? Math.round(ms * 100) / 100 : Math.round(ms)} ms`;
}
