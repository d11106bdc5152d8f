import type { JSX } from "preact";
import { bytes, latency, rate } from "../data/format.ts";
import { duration, relative } from "../data/format-time.ts";
import { units } from "../data/units.ts";
import { useDashboard } from "../parts/dashboard-context.ts";
import { FieldCharts, type FieldChart } from "../parts/field-charts.tsx";
import { RangePicker } from "../parts/range.tsx";
import { StateWord } from "../parts/tone.tsx";
import { ScrollBox } from "../parts/scroll-box.tsx";
import { ViewHead } from "../parts/view-head.tsx";

const charts: readonly FieldChart[] = [
  {
    title: "Latency of the store",
    kind: "log",
    unit: units.latency,
    lines: [
      ["p50", 1, "store.p50Ms"],
      ["p99", 2, "store.p99Ms"],
    ],
  },
  {
    title: "Commands",
    unit: units.rate,
    lines: [
      ["commands", 1, "store.commandsPerS"],
      ["failed", 4, "store.failedPerS"],
    ],
  },
  {
    title: "Size of the data",
    unit: units.size,
    lines: [["data", 1, "store.bytes"]],
  },
  {
    title: "Memory of the process",
    unit: units.size,
    lines: [
      ["resident", 1, "process.rssBytes"],
      ["heap", 3, "process.heapBytes"],
    ],
  },
  {
    title: "CPU of the process",
    unit: units.share,
    lines: [["of one core", 1, "process.cpuShare"]],
  },
  {
    title: "Delay of the event loop, p99",
    unit: units.latency,
    lines: [["delay", 1, "process.loopDelayP99Ms"]],
  },
  {
    title: "Results in memory",
    unit: units.count,
    lines: [
      ["valid", 1, "memory.validEntries"],
      ["invalid", 2, "memory.invalidEntries"],
    ],
  },
  {
    title: "Results evicted from memory",
    unit: units.rate,
    lines: [["evicted", 1, "memory.evictionsPerS"]],
  },
];

/** Shows the store, its latency and room, and the resources of the process. */
export function Stores(): JSX.Element {
  return (
    <>
      <ViewHead title="Stores">
        <RangePicker />
      </ViewHead>
      <div class="stack">
        <StoreCard />
        <FieldCharts charts={charts} />
        <Commands />
      </div>
    </>
  );
}

function StoreCard(): JSX.Element {
  const { received, now } = useDashboard();
  const { store } = received.frame.state;
  const { description, up, problem, lastError, diskFreeBytes, lastBackupAt, clockDifferenceMs } = store;
  const isWell = up && problem === null;
  return (
    <section class="card" aria-labelledby="store">
      <div class="card-head">
        <h2 id="store" class="mono">
          {description}
        </h2>
        <StateWord tone={isWell ? "ok" : up ? "degraded" : "failing"}>
          {isWell ? "works" : up ? "works, with a problem" : "does not work"}
        </StateWord>
      </div>
      <dl class="facts">
        {problem !== null && (
          <>
            <dt>problem</dt>
            <dd>{problem}</dd>
          </>
        )}
        {lastError !== null && (
          <>
            <dt>last error</dt>
            <dd class="error">{lastError}</dd>
          </>
        )}
        <dt>size</dt>
        <dd>{store.bytes === null ? "the store does not report it" : bytes(store.bytes)}</dd>
        <dt>free on its disk</dt>
        <dd>{diskFreeBytes === null ? "unknown" : bytes(diskFreeBytes)}</dd>
        <dt>last backup</dt>
        <dd>{lastBackupAt === null ? "none is known" : relative(lastBackupAt, now)}</dd>
        <dt>its clock</dt>
        <dd>
          {clockDifferenceMs === 0
            ? "agrees with this machine"
            : `differs by ${duration(Math.abs(clockDifferenceMs))}`}
        </dd>
      </dl>
    </section>
  );
}

function Commands(): JSX.Element {
  const { received } = useDashboard();
  const { commands } = received.frame.state.store;
  return (
    <section aria-labelledby="commands">
      <h2 id="commands" class="section-title">
        Commands of the last ten seconds
      </h2>
      {commands.length === 0 && <p class="empty">The store got no command.</p>}
      {commands.length > 0 && (
        <ScrollBox label="Commands of the last ten seconds">
          <table>
            <thead>
              <tr>
                {["part of the store", "commands", "failed", "p50", "p99"].map((name, index) => (
                  <th key={name} scope="col" class={index === 0 ? "" : "number"}>
                    {name}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {commands.map(({ command, perS, failedPerS, p50Ms, p99Ms }) => (
                <tr key={command}>
                  <th scope="row">{command}</th>
                  <td class="number">{rate(perS)}</td>
                  <td class={`number${failedPerS > 0 ? " error" : ""}`}>{rate(failedPerS)}</td>
                  <td class="number">{latency(p50Ms)}</td>
                  <td class="number">{latency(p99Ms)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </ScrollBox>
      )}
    </section>
  );
}
