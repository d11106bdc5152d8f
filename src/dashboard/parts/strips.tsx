import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { clockTime, duration } from "../data/format-time.ts";
import { periodsOf, rowAt, type Period } from "../data/periods.ts";
import type { TimelineEvent } from "../wire-state.ts";
import { publishHover, useHover } from "./hover.ts";
import { ScrollBox } from "./scroll-box.tsx";
import { Shape, StateWord, toneOf, type Tone } from "./tone.tsx";

/** A state over time. */
export interface Strip {
  readonly label: string;
  readonly values: readonly (number | null)[];
  /** The word and the tone of each state, by its number. */
  readonly states: readonly { readonly word: string; readonly tone: Tone }[];
}

interface StripsProps {
  readonly times: readonly number[];
  readonly strips: readonly Strip[];
  readonly events: readonly TimelineEvent[];
}

const WIDTH = 1000;

/** Draws states as strips under each other, so that the first change is the one furthest to the left. */
export function Strips({ times, strips, events }: StripsProps): JSX.Element {
  const hoveredAt = useHover();
  const [isTable, setTable] = useState(false);
  const first = times[0] ?? 0;
  const last = times.at(-1) ?? first;
  const x = (seconds: number) => (last === first ? 0 : ((seconds - first) / (last - first)) * WIDTH);
  const onPointer = (event: PointerEvent & { currentTarget: Element }) => {
    const { left, width } = event.currentTarget.getBoundingClientRect();
    publishHover((first + ((event.clientX - left) / width) * (last - first)) * 1000);
  };
  const row = rowAt(times, hoveredAt);
  const cursor = hoveredAt === null ? null : x(hoveredAt / 1000);
  return (
    <section class="card" aria-labelledby="states">
      <div class="card-head">
        <div>
          <h2 id="states">States</h2>
          <p class="dim small">
            {hoveredAt === null ? `until ${clockTime(last * 1000)}` : `at ${clockTime(hoveredAt)}`}
          </p>
        </div>
        <button type="button" class="quiet small" aria-expanded={isTable} onClick={() => setTable(!isTable)}>
          Table<span class="hidden"> of states</span>
        </button>
      </div>
      <ul class="strips" onPointerLeave={() => publishHover(null)}>
        <li class="strip">
          <span class="strip-label">Events</span>
          <div class="strip-line events" onPointerMove={onPointer} aria-hidden="true">
            {events
              .filter(({ at, tone }) => at >= first * 1000 && tone !== "info")
              .map(({ seq, at, tone, message }) => (
                <span
                  key={seq}
                  class={`tone-${toneOf(tone)} mark`}
                  style={{ left: `${x(at / 1000) / 10}%` }}
                  title={message}
                >
                  <Shape tone={toneOf(tone)} size={9} />
                </span>
              ))}
            {cursor !== null && <span class="strip-cursor" style={{ left: `${cursor / 10}%` }} />}
          </div>
          <span class="strip-word dim">faults, recoveries</span>
        </li>
        {strips.map((strip) => (
          <StripRow key={strip.label} strip={strip} {...{ times, row, cursor, x, onPointer }} />
        ))}
      </ul>
      {isTable && <PeriodTable times={times} strips={strips} />}
    </section>
  );
}

interface StripRowProps {
  readonly strip: Strip;
  readonly times: readonly number[];
  /** The row whose state stands beside the strip. */
  readonly row: number;
  /** `null` without a pointer. */
  readonly cursor: number | null;
  readonly x: (seconds: number) => number;
  readonly onPointer: (event: PointerEvent & { currentTarget: Element }) => void;
}

function StripRow({ strip, times, row, cursor, x, onPointer }: StripRowProps): JSX.Element {
  const { label, values, states } = strip;
  const shown = states[values[row] ?? -1];
  return (
    <li class="strip">
      <span class="strip-label">{label}</span>
      <svg
        class="strip-line"
        viewBox={`0 0 ${WIDTH} 10`}
        preserveAspectRatio="none"
        aria-hidden="true"
        onPointerMove={onPointer}
      >
        {periodsOf(times, values).map((period) => (
          <StripPeriod key={period.from} period={period} states={states} x={x} />
        ))}
        {cursor !== null && <path class="cursor" d={`M${cursor} 0V10`} />}
      </svg>
      <span class="strip-word">
        {shown === undefined ? (
          <span class="dim">unknown</span>
        ) : (
          <StateWord tone={shown.tone}>{shown.word}</StateWord>
        )}
      </span>
    </li>
  );
}

function StripPeriod({
  period,
  states,
  x,
}: {
  period: Period;
  states: Strip["states"];
  x: (seconds: number) => number;
}): JSX.Element | null {
  const state = states[period.state ?? -1];
  if (state === undefined) return null;
  const { tone } = state;
  const from = x(period.from);
  // A fault of a second must be visible in a day.
  const width = Math.max(tone === "ok" ? 0 : 2, x(period.to) - from);
  const height = tone === "failing" ? 10 : tone === "degraded" ? 7 : 3;
  return (
    <g class={`tone-${tone}`}>
      <rect class="strip-period" x={from} y={10 - height} width={width} height={height} />
    </g>
  );
}

/** Lists the times in which a state was not well, newest first. */
function PeriodTable({ times, strips }: Pick<StripsProps, "times" | "strips">): JSX.Element {
  const rows = strips
    .flatMap(({ label, values, states }) =>
      periodsOf(times, values).flatMap(({ from, to, state }) => {
        const known = states[state ?? -1];
        return known === undefined || known.tone === "ok" ? [] : [{ label, from, to, ...known }];
      }),
    )
    .toSorted((one, other) => other.from - one.from);
  if (rows.length === 0) return <p class="dim">Every state was well in this range.</p>;
  return (
    <ScrollBox label="Table of states">
      <table>
        <caption class="hidden">Times in which a state was not well</caption>
        <thead>
          <tr>
            <th scope="col">part</th>
            <th scope="col">state</th>
            <th scope="col">from</th>
            <th scope="col">to</th>
            <th scope="col" class="number">
              for
            </th>
          </tr>
        </thead>
        <tbody>
          {rows.map(({ label, word, tone, from, to }) => (
            <tr key={`${label}${from}`}>
              <th scope="row">{label}</th>
              <td>
                <StateWord tone={tone}>{word}</StateWord>
              </td>
              <td>{clockTime(from * 1000)}</td>
              <td>{to === times.at(-1) ? "now" : clockTime(to * 1000)}</td>
              <td class="number">{duration((to - from) * 1000)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </ScrollBox>
  );
}
