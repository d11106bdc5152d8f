import type { JSX } from "preact";
import { rate, words } from "../data/format.ts";
import { units } from "../data/units.ts";
import { Chart } from "../parts/chart.tsx";
import { useDashboard } from "../parts/dashboard-context.ts";
import { FieldCharts, type FieldChart } from "../parts/field-charts.tsx";
import { RangePicker, useColumns, type Columns } from "../parts/range.tsx";
import { ViewHead } from "../parts/view-head.tsx";
import { invalidReasons } from "../wire-fields.ts";

const charts: readonly FieldChart[] = [
  {
    title: "Decisions",
    kind: "stack",
    isTall: true,
    unit: units.rate,
    lines: [
      ["valid", 1, "decisions.validPerS"],
      ["invalid", 2, "decisions.invalidPerS"],
      ["forbidden", 5, "decisions.forbiddenPerS"],
      ["unavailable", 4, "decisions.unavailablePerS"],
    ],
  },
  {
    title: "Not definite",
    note: "Tokens without a yes or a no, and tokens that are accepted without the authority.",
    unit: units.rate,
    lines: [
      ["unavailable", 4, "decisions.unavailablePerS"],
      ["degraded", 2, "decisions.degradedPerS"],
    ],
  },
  {
    title: "Latency of decisions",
    note: "Half of the decisions take at most p50, and 99 of 100 take at most p99.",
    kind: "log",
    unit: units.latency,
    lines: [
      ["p50", 1, "decisions.p50Ms"],
      ["p99", 2, "decisions.p99Ms"],
    ],
  },
  {
    title: "Latency by source, p99",
    kind: "log",
    unit: units.latency,
    lines: [
      ["memory", 1, "memory.p99Ms"],
      ["joined", 2, "joined.p99Ms"],
      ["verification", 3, "verification.p99Ms"],
      ["shared", 5, "shared.p99Ms"],
    ],
  },
];

/** Shows the verdicts, the share that memory answers, the latencies, and why tokens are invalid. */
export function Traffic(): JSX.Element {
  const columns = useColumns();
  return (
    <>
      <ViewHead title="Traffic">
        <RangePicker />
      </ViewHead>
      <div class="stack">
        <FieldCharts charts={charts} />
        <div class="cards wide">
          <Chart
            title="Answered from memory"
            times={columns.times}
            unit={units.share}
            series={[{ label: "hit rate", color: 1, values: hitRate(columns) }]}
          />
          <InvalidReasons />
        </div>
      </div>
    </>
  );
}

/** The share of tokens that memory answers. `null` in a second without a token. */
function hitRate({ values }: Columns): (number | null)[] {
  const memory = values("from.memoryPerS");
  const others = ["from.joinedPerS", "from.verificationPerS", "from.sharedPerS"].map(values);
  return memory.map((hits, row) => {
    const all = (hits ?? 0) + others.reduce((sum, column) => sum + (column[row] ?? 0), 0);
    return all === 0 ? null : (hits ?? 0) / all;
  });
}

const TOP = 5;

/** The five reasons that most tokens have been invalid for, over the last five minutes. */
function InvalidReasons(): JSX.Element {
  const { received } = useDashboard();
  const found = invalidReasons
    .map((reason) => ({ reason, perS: received.seconds.mean(`invalid.${reason}PerS`, 300) ?? 0 }))
    .filter(({ perS }) => perS > 0)
    .toSorted((one, other) => other.perS - one.perS);
  const most = found[0]?.perS ?? 1;
  return (
    <section class="card" aria-labelledby="invalid-reasons">
      <div class="card-head">
        <h2 id="invalid-reasons">Why tokens were invalid</h2>
        <span class="dim small">mean of the last 5 min, top {TOP}</span>
      </div>
      {found.length === 0 && <p class="dim">No token was invalid.</p>}
      <ul class="ranking">
        {found.slice(0, TOP).map(({ reason, perS }) => (
          <li key={reason} class="bar tone-idle">
            <div class="bar-row">
              <span>{words(reason)}</span>
              <strong>{rate(perS)}</strong>
            </div>
            <div class="bar-track" aria-hidden="true">
              <div class="bar-fill" style={{ width: `${(100 * perS) / most}%` }} />
            </div>
          </li>
        ))}
      </ul>
    </section>
  );
}
