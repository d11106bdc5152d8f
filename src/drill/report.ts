import { quantile } from "./figures.ts";
import type { Phase } from "./phase.ts";
import type { CheckResult } from "./checks.ts";

const columns = ["phase", "sent", "200", "degraded", "503", "401", "other", "p50 ms", "p99 ms"];

function formatRow(cells: readonly (string | number)[]): string {
  return cells.map((cell, i) => (i === 0 ? String(cell).padEnd(8) : String(cell).padStart(8))).join(" ");
}

/** The first row of the table of phases. */
export const tableHeading: string = `${formatRow(columns)}  one character a second: . 200, d degraded, 5 503, 4 401, x other`;

/** Formats the outcomes of the good tokens in a phase as one row of the table. */
export function formatPhase(phase: Phase): string {
  const { good } = phase;
  const times = good.map(({ tookMs }) => tookMs);
  const counts = (["ok", "degraded", "unavailable", "refused", "failed"] as const).map((outcome) =>
    phase.count(outcome),
  );
  const quantiles = [0.5, 0.99].map((share) => (quantile(times, share) ?? 0).toFixed(1));
  return `${formatRow([phase.name, good.length, ...counts, ...quantiles])}  ${phase.timeline}`;
}

/** Formats the result of a check as one line. */
export function formatCheck({ passed, expectation, observed }: CheckResult): string {
  return `${passed ? "passed" : "FAILED"} ${expectation}: ${observed}`;
}
