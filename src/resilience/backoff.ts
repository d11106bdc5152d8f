/** Exponential growth with a ceiling; `random` picks the moment within the upper half, so that many instances spread. */
export interface BackoffOptions {
  readonly firstMs: number;
  readonly maxMs: number;
  /** From 0 to 1, by default `Math.random`. */
  readonly random?: () => number;
}

/** How long to wait before attempt `failures + 1`, in milliseconds. */
export function backoffMs(failures: number, options: BackoffOptions): number {
  const ceiling = Math.min(options.maxMs, options.firstMs * 2 ** Math.max(0, failures - 1));
  return ceiling / 2 + (ceiling / 2) * (options.random ?? Math.random)();
}

/** `ms` spread evenly by ± `share`. */
export function jitter(ms: number, spread: number, random: () => number = Math.random): number {
  return ms * (1 - spread + 2 * spread * random());
}
