import { systemRandom } from "../core/entropy.ts";

/** Exponential back-off with a ceiling. */
export interface BackoffOptions {
  readonly firstMs: number;
  readonly maxMs: number;
  /** Returns a number from 0 to 1. Default `Math.random`. */
  readonly random?: () => number;
}

/**
 * The wait before attempt `failures + 1`, in milliseconds. A random moment within the upper half of the wait spreads the
 * attempts of many instances.
 */
export function backoffMs(failures: number, options: BackoffOptions): number {
  const ceiling = Math.min(options.maxMs, options.firstMs * 2 ** Math.max(0, failures - 1));
  return ceiling / 2 + (ceiling / 2) * (options.random ?? systemRandom)();
}

/** Spreads `ms` evenly by ± `spread`, a share of 1. */
export function jitter(ms: number, spread: number, random: () => number = systemRandom): number {
  return ms * (1 - spread + 2 * spread * random());
}
