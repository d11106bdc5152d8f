import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { words } from "../data/format.ts";
import { dateTime } from "../data/format-time.ts";
import { units } from "../data/units.ts";
import { useDashboard } from "../parts/dashboard-context.ts";
import { FieldCharts, type FieldChart } from "../parts/field-charts.tsx";
import { RangePicker, useColumns } from "../parts/range.tsx";
import { Strips, type Strip } from "../parts/strips.tsx";
import { StateWord, toneOf, type Tone } from "../parts/tone.tsx";
import { ViewHead } from "../parts/view-head.tsx";
import { breakerStates, issuerStates } from "../wire-fields.ts";
import { ScrollBox } from "../parts/scroll-box.tsx";
import type { TimelineEvent } from "../wire-state.ts";

const healthStates = [
  { word: "ok", tone: "ok" },
  { word: "degraded", tone: "degraded" },
  { word: "unavailable", tone: "failing" },
] as const;

const breakerTones: Readonly<Record<(typeof breakerStates)[number], Tone>> = {
  closed: "ok",
  "half-open": "degraded",
  open: "failing",
  "forced open": "failing",
  "forced closed": "degraded",
};

const health = [
  ["Service", "health.service"],
  ["Logins", "health.login"],
  ["Refreshes", "health.refresh"],
  ["Store", "health.store"],
  ["Keys", "health.keys"],
  ["Revocations", "health.revocations"],
  ["Guard", "health.guard"],
  ["Clock", "health.clock"],
] as const;

const charts: readonly FieldChart[] = [
  {
    title: "Decisions",
    unit: units.rate,
    lines: [
      ["valid", 1, "decisions.validPerS"],
      ["degraded", 2, "decisions.degradedPerS"],
      ["unavailable", 4, "decisions.unavailablePerS"],
    ],
  },
  {
    title: "Failed requests to upstreams",
    unit: units.rate,
    lines: [
      ["authority", 1, "authority.failedPerS"],
      ["keys", 3, "keys.failedPerS"],
      ["store", 4, "store.failedPerS"],
    ],
  },
];

/** Shows what came first: states, events and traffic over the same time. */
export function Timeline(): JSX.Element {
  const { received } = useDashboard();
  const { times, values } = useColumns();
  const strips: Strip[] = health.map(([label, field]) => ({
    label,
    values: values(field),
    states: healthStates,
  }));
  for (const [index, issuer] of received.issuers.entries()) {
    const name = hostOf(issuer);
    const state = (field: string) => values(`issuer.${index}.${field}`);
    strips.push({
      label: name,
      values: state("state"),
      states: issuerStates.map((word) => ({ word, tone: toneOf(word) })),
    });
    const breaker = state("breaker");
    if (breaker.some((value) => value !== null)) {
      const states = breakerStates.map((word) => ({ word, tone: breakerTones[word] }));
      strips.push({ label: `${name}, breaker`, values: breaker, states });
      const degraded = [
        { word: "off", tone: "ok" },
        { word: "degraded", tone: "degraded" },
      ] as const;
      strips.push({ label: `${name}, degraded mode`, values: state("degraded"), states: degraded });
    }
  }
  return (
    <>
      <ViewHead title="Timeline">
        <RangePicker />
      </ViewHead>
      <div class="stack">
        <Strips times={times} strips={strips} events={received.events} />
        <FieldCharts charts={charts} />
        <Events events={received.events} />
      </div>
    </>
  );
}

const SHOWN = 200;

function Events({ events }: { events: readonly TimelineEvent[] }): JSX.Element {
  const [isEverything, setEverything] = useState(false);
  const found = events
    .filter(({ tone }) => isEverything || tone !== "info")
    .slice(-SHOWN)
    .toReversed();
  return (
    <section aria-labelledby="events">
      <div class="section-head spaced">
        <h2 id="events">Events</h2>
        <div class="segments" role="group" aria-label="Events that are shown">
          <button type="button" aria-pressed={!isEverything} onClick={() => setEverything(false)}>
            Faults and recoveries
          </button>
          <button type="button" aria-pressed={isEverything} onClick={() => setEverything(true)}>
            All
          </button>
        </div>
      </div>
      {found.length === 0 ? (
        <p class="empty">No such event is in the memory of this process.</p>
      ) : (
        <ScrollBox label="Events">
          <table>
            <thead>
              <tr>
                <th scope="col">time</th>
                <th scope="col">event</th>
                <th scope="col">message</th>
                <th scope="col">issuer</th>
              </tr>
            </thead>
            <tbody>
              {found.map(({ seq, at, kind, tone, message, issuer, omitted }) => (
                <tr key={seq}>
                  <th scope="row" class="nowrap">
                    {dateTime(at)}
                  </th>
                  <td class="nowrap">
                    <StateWord tone={toneOf(tone)}>{words(kind)}</StateWord>
                  </td>
                  <td class="message">
                    {message}
                    {omitted > 0 && <span class="dim"> and {omitted} more in this second</span>}
                  </td>
                  <td class="mono">{issuer === null ? "" : hostOf(issuer)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </ScrollBox>
      )}
    </section>
  );
}

/** The host of an issuer, or all of it when it is not a URL. */
function hostOf(issuer: string): string {
  return URL.canParse(issuer) ? new URL(issuer).host : issuer;
}
