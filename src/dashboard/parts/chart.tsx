import type { JSX } from "preact";
import { useEffect, useId, useRef, useState } from "preact/hooks";
import type uPlot from "uplot";
import { clockTime } from "../data/format-time.ts";
import { rowAt } from "../data/periods.ts";
import { useHover } from "./hover.ts";
import { ScrollBox } from "./scroll-box.tsx";
import { createPlot, dashes, toData, type PlotOptions, type PlotSeries } from "./plot.ts";

const TABLE_ROWS = 30;

export interface ChartProps extends Omit<PlotOptions, "kind"> {
  readonly title: string;
  /** A sentence that helps to read the chart. */
  readonly note?: string;
  readonly kind?: PlotOptions["kind"];
  readonly isTall?: boolean;
}

/** A chart with its last values as text, and with a table behind a button. */
export function Chart({ title, note, kind = "line", isTall = false, ...options }: ChartProps): JSX.Element {
  const { series, times, unit } = options;
  const id = useId();
  const [isTable, setTable] = useState(false);
  const hoveredAt = useHover();
  const row = rowAt(times, hoveredAt);
  const text = (value: number | null | undefined) => (value == null ? "no value" : unit.format(value));
  return (
    <figure class={`card chart${isTall ? " tall" : ""}`} aria-labelledby={id}>
      <div class="card-head">
        <h2 id={id}>{title}</h2>
        <button type="button" class="quiet small" aria-expanded={isTable} onClick={() => setTable(!isTable)}>
          Table<span class="hidden"> of {title}</span>
        </button>
      </div>
      {note !== undefined && <p class="dim small">{note}</p>}
      <ul class="legend" aria-label={row === times.length - 1 ? "Last values" : "Values under the pointer"}>
        {series.map(({ label, color, values }) => (
          <li key={label}>
            <LegendLine color={color} isArea={kind === "stack"} />
            <span>{label}</span> <strong>{text(values[row])}</strong>
          </li>
        ))}
        {hoveredAt !== null && times[row] !== undefined && (
          <li class="dim">at {clockTime(times[row] * 1000)}</li>
        )}
      </ul>
      <Plot options={{ ...options, kind }} hoveredAt={hoveredAt} />
      {isTable && <ChartTable title={title} series={series} times={times} text={text} />}
    </figure>
  );
}

function LegendLine({ color, isArea }: { color: number; isArea: boolean }): JSX.Element {
  return (
    <svg width="18" height="10" viewBox="0 0 18 10" aria-hidden="true">
      {isArea ? (
        <rect x="3" width="11" height="10" rx="2" style={{ fill: `var(--series-${color})` }} />
      ) : (
        <path
          d="M0 5h18"
          stroke-width="2.5"
          stroke-dasharray={dashes[color - 1]?.join(" ")}
          style={{ stroke: `var(--series-${color})` }}
        />
      )}
    </svg>
  );
}

function Plot({ options, hoveredAt }: { options: PlotOptions; hoveredAt: number | null }): JSX.Element {
  const element = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const scheme = useScheme();
  const shape = options.series.map(({ label }) => label).join();
  useEffect(() => {
    const target = element.current;
    if (target === null) return undefined;
    const created = createPlot(target, options);
    plot.current = created;
    const observer = new ResizeObserver(() => {
      created.setSize({ width: target.clientWidth, height: target.clientHeight });
    });
    observer.observe(target);
    return () => {
      observer.disconnect();
      created.destroy();
      plot.current = null;
    };
  }, [shape, options.kind, scheme]);
  useEffect(() => plot.current?.setData(toData(options)), [options.times]);
  useEffect(() => {
    const left = hoveredAt === null ? -10 : (plot.current?.valToPos(hoveredAt / 1000, "x") ?? -10);
    plot.current?.setCursor({ left, top: 0 }, false);
  }, [hoveredAt]);
  return <div class="plot" ref={element} aria-hidden="true" />;
}

/** Changes when the reader's colours change, because a canvas keeps those with which it was drawn. */
function useScheme(): boolean {
  const [isDark, setDark] = useState(() => matchMedia("(prefers-color-scheme: dark)").matches);
  useEffect(() => {
    const query = matchMedia("(prefers-color-scheme: dark)");
    const update = () => setDark(query.matches);
    query.addEventListener("change", update);
    return () => query.removeEventListener("change", update);
  }, []);
  return isDark;
}

interface ChartTableProps {
  title: string;
  series: readonly PlotSeries[];
  times: readonly number[];
  text: (value: number | null | undefined) => string;
}

/** Rows at even distances over the range, newest first. */
function ChartTable({ title, series, times, text }: ChartTableProps): JSX.Element {
  const step = Math.max(1, Math.ceil(times.length / TABLE_ROWS));
  const rows: number[] = [];
  for (let row = times.length - 1; row >= 0; row -= step) rows.push(row);
  return (
    <ScrollBox label={`Table of ${title}`}>
      <table>
        <caption class="hidden">{title}</caption>
        <thead>
          <tr>
            <th scope="col">time</th>
            {series.map(({ label }) => (
              <th key={label} scope="col" class="number">
                {label}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={times[row]}>
              <th scope="row">{clockTime((times[row] ?? 0) * 1000)}</th>
              {series.map(({ label, values }) => (
                <td key={label} class="number">
                  {text(values[row])}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </ScrollBox>
  );
}
