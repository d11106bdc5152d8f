import type { JSX } from "preact";
import { Chart, type ChartProps } from "./chart.tsx";
import { useColumns } from "./range.tsx";

/** A chart of columns of the history. */
export interface FieldChart extends Omit<ChartProps, "times" | "series"> {
  /** The label, the number of the colour, and the column of each line. */
  readonly lines: readonly (readonly [label: string, color: number, field: string])[];
}

/** Draws charts over the range that the reader chose. */
export function FieldCharts({ charts }: { charts: readonly FieldChart[] }): JSX.Element {
  const { times, values } = useColumns();
  return (
    <div class="cards wide">
      {charts.map(({ lines, ...chart }) => (
        <Chart
          key={chart.title}
          {...chart}
          times={times}
          series={lines.map(([label, color, field]) => ({ label, color, values: values(field) }))}
        />
      ))}
    </div>
  );
}
