import { bytes, latency, percent, rate, whole } from "./format.ts";
import { duration } from "./format-time.ts";

/** How a chart writes its values, and at which distances its axis may have lines. */
export interface Unit {
  readonly format: (value: number) => string;
  /** Ascending. Decimal distances when it is left out. */
  readonly steps?: number[];
}

const powersOfTwo = Array.from({ length: 50 }, (_, power) => 2 ** power);
const times = [0.001, 0.01, 0.1, 1, 5, 15, 30, 60, 300, 900, 1800, 3600, 7200, 14_400, 43_200, 86_400];

export const units = {
  rate: { format: rate },
  share: { format: percent },
  /** Milliseconds. */
  latency: { format: latency },
  size: { format: bytes, steps: powersOfTwo },
  /** Seconds. */
  age: { format: (seconds: number) => duration(seconds * 1000), steps: times },
  count: { format: whole },
} as const satisfies Record<string, Unit>;
