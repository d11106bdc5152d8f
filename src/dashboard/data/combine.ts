const largest = /^health\.|p99Ms$|\.(?:state|breaker|degraded|failingS)$|AgeS$|\.stepS$/;
const smallest = /^store\.(?:up|diskFreeBytes)$/;

/**
 * One value for several seconds, as the server makes it for the history of a day. The worst one stands for a state and
 * for a slow answer, because a mean would hide it.
 */
export function combine(field: string, values: readonly number[]): number {
  if (largest.test(field)) return Math.max(...values);
  if (smallest.test(field)) return Math.min(...values);
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
