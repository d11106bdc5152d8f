import type { JSX } from "preact";
import type { History } from "../data/history.ts";
import { ranges } from "../data/ranges.ts";
import { useDashboard } from "./dashboard-context.ts";

/** The times and values of a chart. */
export interface Columns {
  /** Epoch seconds. */
  readonly times: readonly number[];
  readonly values: (field: string) => readonly (number | null)[];
}

/** The rows of the range that the reader chose. */
export function useColumns(): Columns {
  const { received, range, now } = useDashboard();
  const history: History = range.ms > 3_600_000 ? received.minutes : received.seconds;
  const since = now - range.ms;
  return {
    times: history.times(since, range.stepMs),
    values: (field) => history.values(field, since, range.stepMs),
  };
}

export function RangePicker(): JSX.Element {
  const { range, setRange } = useDashboard();
  return (
    <div class="segments" role="group" aria-label="Range of the charts">
      {ranges.map((each) => (
        <button
          key={each.label}
          type="button"
          aria-pressed={each.label === range.label}
          onClick={() => setRange(each)}
        >
          {each.label}
        </button>
      ))}
    </div>
  );
}
