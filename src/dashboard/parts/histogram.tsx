import type { JSX } from "preact";
import { useId } from "preact/hooks";
import { whole } from "../data/format.ts";
import { duration } from "../data/format-time.ts";
import type { Buckets } from "../wire-state.ts";

/** Counts of durations, one bar for each bucket. The numbers stand beside the bars, so no table is needed. */
export function Histogram({
  title,
  note,
  buckets: { bounds, counts },
}: {
  title: string;
  note: string;
  buckets: Buckets;
}): JSX.Element {
  const id = useId();
  const total = counts.reduce((sum, count) => sum + count, 0);
  const most = Math.max(1, ...counts);
  return (
    <section class="card" aria-labelledby={id}>
      <h2 id={id}>{title}</h2>
      <p class="dim small">{note}</p>
      {total === 0 ? (
        <p class="dim small">Nothing was measured since the start.</p>
      ) : (
        <ol class="histogram">
          {counts.map((count, index) => (
            <li key={index}>
              <span class="dim">{boundText(bounds, index)}</span>
              <span class="bar-track" aria-hidden="true">
                <span class="bar-fill" style={{ width: `${(100 * count) / most}%` }} />
              </span>
              <span class="number">{whole(count)}</span>
            </li>
          ))}
        </ol>
      )}
    </section>
  );
}

function boundText(bounds: readonly number[], index: number): string {
  const bound = bounds[index];
  return bound === undefined
    ? `over ${duration((bounds.at(-1) ?? 0) * 1000)}`
    : `up to ${duration(bound * 1000)}`;
}
