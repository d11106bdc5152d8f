import { quantile } from "./figures.ts";
import type { Phase } from "./phase.ts";
import type { Judgement } from "./promises.ts";

const columns = ["phase", "sent", "200", "degraded", "503", "401", "other", "p50 ms", "p99 ms"];

function row(cells: readonly (string | number)[]): string {
  return cells.map((cell, i) => (i === 0 ? String(cell).padEnd(8) : String(cell).padStart(8))).join(" ");
}

export const heading: string = `${row(columns)}  a character a second: . 200, d degraded, 5 503, 4 401, x other`;

/** What users with good tokens saw. */
export function phaseLine(phase: Phase): string {
  const { good } = phase;
  const times = good.map(({ tookMs }) => tookMs);
  const counts = (["ok", "degraded", "unavailable", "refused", "failed"] as const).map((one) =>
    phase.count(one),
  );
  const quantiles = [0.5, 0.99].map((share) => (quantile(times, share) ?? 0).toFixed(1));
  return `${row([phase.name, good.length, ...counts, ...quantiles])}  ${phase.timeline}`;
}

export function judgementLine({ kept, promise, seen }: Judgement): string {
  return `${kept ? "kept  " : "BROKEN"} ${promise}: ${seen}`;
}
