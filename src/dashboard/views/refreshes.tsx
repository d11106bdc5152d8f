import type { JSX } from "preact";
import { units } from "../data/units.ts";
import { useDashboard } from "../parts/dashboard-context.ts";
import { FieldCharts, type FieldChart } from "../parts/field-charts.tsx";
import { Histogram } from "../parts/histogram.tsx";
import { RangePicker } from "../parts/range.tsx";
import { ViewHead } from "../parts/view-head.tsx";

const charts: readonly FieldChart[] = [
  {
    title: "Refreshes that succeed",
    kind: "stack",
    isTall: true,
    unit: units.rate,
    lines: [
      ["rotated", 1, "refreshes.rotatedPerS"],
      ["repeated", 3, "refreshes.repeatedPerS"],
    ],
  },
  {
    title: "Refreshes that fail",
    note: "Much reuse from many users is a defect of a client or a restored store. Reuse by one user is theft.",
    unit: units.rate,
    lines: [
      ["conflict", 1, "refreshes.conflictPerS"],
      ["reuse", 4, "refreshes.reusePerS"],
      ["refused", 6, "refreshes.refusedPerS"],
      ["unavailable", 2, "refreshes.unavailablePerS"],
    ],
  },
  {
    title: "Latency of refreshes",
    kind: "log",
    unit: units.latency,
    lines: [
      ["p50", 1, "refreshes.p50Ms"],
      ["p99", 2, "refreshes.p99Ms"],
    ],
  },
  {
    title: "Sessions",
    unit: units.rate,
    lines: [
      ["started", 1, "sessions.startedPerS"],
      ["ended", 2, "sessions.endedPerS"],
    ],
  },
  {
    title: "Logins",
    unit: units.rate,
    lines: [
      ["accepted", 1, "logins.okPerS"],
      ["refused", 2, "logins.refusedPerS"],
      ["limited", 5, "logins.limitedPerS"],
      ["unavailable", 4, "logins.unavailablePerS"],
    ],
  },
  {
    title: "Password hashes",
    kind: "log",
    unit: units.latency,
    lines: [
      ["hash p99", 1, "hashes.p99Ms"],
      ["login p99", 2, "logins.p99Ms"],
    ],
  },
  {
    title: "Password hashes that wait",
    note: "Logins wait in a queue when many come at once.",
    unit: units.count,
    lines: [["waiting", 1, "hashes.waiting"]],
  },
];

/** Shows how refreshes and logins end, and whether spent tokens come from a client's defect or from theft. */
export function Refreshes(): JSX.Element {
  const { received } = useDashboard();
  return (
    <>
      <ViewHead title="Refreshes">
        <RangePicker />
      </ViewHead>
      <div class="stack">
        <FieldCharts charts={charts} />
        <Histogram
          title="Delay of repeated refreshes"
          note="How long after its rotation a token came back whose answer was lost, since the start."
          buckets={received.frame.state.repeatDelays}
        />
      </div>
    </>
  );
}
