import uPlot from "uplot";
import type { Unit } from "../data/units.ts";
import { publishHover } from "./hover.ts";

export interface PlotSeries {
  readonly label: string;
  /** The number of the colour in the style, from 1. */
  readonly color: number;
  readonly values: readonly (number | null)[];
}

export interface PlotOptions {
  readonly series: readonly PlotSeries[];
  /** Epoch seconds. */
  readonly times: readonly number[];
  readonly unit: Unit;
  /** `stack` fills the areas between the lines. `log` has a logarithmic axis, for latencies. */
  readonly kind: "line" | "stack" | "log";
}

/** The pattern of a line by its colour. Readers who see no colours tell the lines by it. */
export const dashes: readonly number[][] = [[], [6, 4], [2, 3], [10, 3, 2, 3], [4, 2], [1, 4]];

/** The library declares the kinds of its scales as an enum that has no value at run time. 3 is a logarithmic one. */
const logarithmic: object = {
  distr: 3,
  range: (_plot: uPlot, min: number | null, max: number | null) => logRange(min, max),
};

/** Draws a chart into `element`, which gives it its width and height. */
export function createPlot(element: HTMLElement, options: PlotOptions): uPlot {
  const ink = resolve(element, "--dim");
  const line = resolve(element, "--line");
  const axis = {
    stroke: ink,
    grid: { stroke: line, width: 1 },
    ticks: { show: false },
    font: "11px system-ui",
  };
  const plot = new uPlot(
    {
      // The last label of the axis of times stands half outside of the plot.
      padding: [6, 26, 0, 0],
      width: element.clientWidth,
      height: element.clientHeight,
      legend: { show: false },
      cursor: { y: false, drag: { x: false, y: false }, points: { show: false } },
      scales: {
        x: { time: true },
        y:
          options.kind === "log"
            ? logarithmic
            : { range: (_plot, _min, max) => [0, max > 0 ? max * 1.1 : 1] },
      },
      axes: [
        { ...axis, size: 26, space: 70, values: (_plot, splits) => timeLabels(splits) },
        {
          ...axis,
          size: 66,
          space: 32,
          ...(options.unit.steps !== undefined && { incrs: options.unit.steps }),
          grid: { ...axis.grid, filter: (_plot, splits) => splits.map((value) => lineAt(options, value)) },
          values: (_plot, splits) =>
            splits.map((value) => (lineAt(options, value) === null ? "" : options.unit.format(value))),
        },
      ],
      series: [{}, ...drawnOrder(options).map((series) => lineStyle(element, series, options.kind))],
      hooks: {
        setCursor: [
          ({ cursor, data }) => {
            if (cursor.event === undefined) return; // The page itself set the cursor.
            const at = cursor.idx == null ? undefined : data[0][cursor.idx];
            publishHover(at === undefined ? null : at * 1000);
          },
        ],
      },
    },
    toData(options),
    element,
  );
  return plot;
}

/** The numbers in the form of the library. Areas lie on each other, and the uppermost is drawn first. */
export function toData({ times, series, kind }: PlotOptions): uPlot.AlignedData {
  const values = series.map(({ values: each }) =>
    kind === "log" ? each.map((value) => (value === null || value <= 0 ? null : value)) : [...each],
  );
  if (kind !== "stack") return [[...times], ...values];
  const sums: number[][] = [];
  for (const each of values) {
    const below = sums.at(-1);
    sums.push(each.map((value, row) => (value ?? 0) + (below?.[row] ?? 0)));
  }
  return [[...times], ...sums.toReversed()];
}

function drawnOrder({ series, kind }: PlotOptions): readonly PlotSeries[] {
  return kind === "stack" ? series.toReversed() : series;
}

function lineStyle(
  element: HTMLElement,
  { label, color }: PlotSeries,
  kind: PlotOptions["kind"],
): uPlot.Series {
  const stroke = resolve(element, `--series-${color}`);
  return {
    label,
    stroke,
    width: 1.5,
    dash: dashes[color - 1] ?? [],
    points: { show: false },
    ...(kind === "stack" && { fill: resolve(element, `--fill-${color}`), dash: [] }),
  };
}

/** A canvas does not know the properties of the style sheet. */
function resolve(element: HTMLElement, property: string): string {
  const probe = document.createElement("i");
  probe.style.color = `var(${property})`;
  element.append(probe);
  const { color } = getComputedStyle(probe);
  probe.remove();
  return color;
}

/** `null` bounds come from a chart without a value. */
function logRange(min: number | null, max: number | null): [number, number] {
  if (min === null || max === null || min <= 0) return [0.001, 1];
  return [10 ** Math.floor(Math.log10(min)), 10 ** Math.ceil(Math.log10(max * 1.01))];
}

/** `null` between the powers of ten of a logarithmic axis, where lines and labels would be too dense. */
function lineAt({ kind }: PlotOptions, value: number): number | null {
  if (kind !== "log") return value;
  return Math.abs(Math.log10(value) - Math.round(Math.log10(value))) < 1e-6 ? value : null;
}

function timeLabels(splits: readonly number[]): string[] {
  const step = (splits[1] ?? 0) - (splits[0] ?? 0);
  return splits.map((seconds) => {
    const text = new Date(seconds * 1000).toLocaleTimeString("en-GB");
    return step < 60 ? text : text.slice(0, 5);
  });
}
