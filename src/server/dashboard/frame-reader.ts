import {
  frameFields,
  invalidReasons,
  issuerFields,
  MAX_ISSUER_COLUMNS,
} from "../../dashboard/wire-fields.ts";
import {
  counters,
  gauges,
  histograms,
  invalidCounter,
  issuerCounters,
  issuerDurations,
  issuerGauges,
  type Buckets,
  type Counter,
  type Gauge,
  type Moment,
} from "./frame-columns.ts";
import type { FrameValues } from "./frame-history.ts";
import { addBuckets, type BucketCounts } from "./metric-readings.ts";
import { percentileMs, PercentileWindow } from "./percentile-window.ts";
import { RateWindow } from "./rate-window.ts";

/** Percentiles, and the rates of the steps, are those of the latest seconds. */
const WINDOW_S = 10;

type Column = (moment: Moment) => number | null;

/** Reads the columns of a frame. Rates need the reading before, so the first frame has none. */
export class FrameReader {
  readonly fields: readonly string[];
  /** The issuers that have columns. */
  readonly issuers: readonly string[];
  readonly #columns: readonly Column[];
  readonly #counters = new Map<string, { readonly read: Counter; readonly window: RateWindow }>();
  readonly #histograms = new Map<string, { readonly read: Buckets; readonly window: PercentileWindow }>();

  constructor(issuers: readonly string[]) {
    this.issuers = issuers.slice(0, MAX_ISSUER_COLUMNS);
    const columns = [
      ...this.#fixedColumns(),
      ...invalidReasons.map((reason): [string, Column] => {
        const field = `invalid.${reason}PerS`;
        return [field, this.#rate(field, invalidCounter(reason))];
      }),
      ...this.issuers.flatMap((issuer, index) => this.#issuerColumns(issuer, index)),
    ];
    this.fields = columns.map(([field]) => field);
    this.#columns = columns.map(([, column]) => column);
  }

  /** Reads one moment. `at` is monotonic, in milliseconds. */
  read(moment: Moment, at: number): FrameValues {
    for (const { read, window } of this.#counters.values()) window.add(read(moment), at);
    for (const { read, window } of this.#histograms.values()) window.add(read(moment.metrics));
    return this.#columns.map((column) => column(moment));
  }

  /** The rate of a counter over the latest seconds. */
  readonly recentPerS = (field: keyof typeof counters): number =>
    this.#counters.get(field)?.window.recentPerS() ?? 0;

  #fixedColumns(): [string, Column][] {
    for (const [name, read] of Object.entries(histograms)) this.#watch(name, read);
    return frameFields.map((field): [string, Column] => {
      if (field in counters) return [field, this.#rate(field, counters[field as keyof typeof counters])];
      if (field in gauges) return [field, gauges[field as keyof typeof gauges]];
      const [name = "", percentile] = field.split(".");
      return [field, this.#percentile(name, percentile === "p50Ms" ? 0.5 : 0.99)];
    });
  }

  #issuerColumns(issuer: string, index: number): [string, Column][] {
    const prefix = `issuer.${index}`;
    const counted: Readonly<Record<string, Counter>> = issuerCounters(issuer);
    const measured: Readonly<Record<string, Gauge>> = issuerGauges(issuer, index);
    this.#watch(prefix, issuerDurations(issuer));
    return issuerFields.map((name): [string, Column] => {
      const field = `${prefix}.${name}`;
      const [counter, gauge] = [counted[name], measured[name]];
      if (counter !== undefined) return [field, this.#rate(field, counter)];
      return [field, gauge ?? this.#percentile(prefix, 0.99)];
    });
  }

  #rate(field: string, read: Counter): Column {
    const window = new RateWindow(WINDOW_S);
    this.#counters.set(field, { read, window });
    return () => window.latestPerS();
  }

  #watch(name: string, read: Buckets): void {
    this.#histograms.set(name, { read, window: new PercentileWindow(WINDOW_S) });
  }

  #percentile(name: string, share: number): Column {
    if (name === "decisions") return () => percentileMs(this.#allDecisions(), share);
    return () => percentileMs(this.#latest(name), share);
  }

  /** Few decisions from memory are timed. Each of those stands for as many as there were for one. */
  #allDecisions(): BucketCounts {
    const timed = this.#latest("memory");
    const hits = this.#counters.get("from.memoryPerS")?.window.recentCount() ?? 0;
    const observed = timed.counts.reduce((sum, count) => sum + count, 0);
    const weight = observed === 0 ? 0 : Math.max(1, hits / observed);
    const memory: BucketCounts = { ...timed, counts: timed.counts.map((count) => count * weight) };
    const others = ["joined", "verification", "shared"].map((name) => this.#latest(name));
    return others.reduce(addBuckets, memory);
  }

  #latest(name: string): BucketCounts {
    return this.#histograms.get(name)?.window.latest() ?? { bounds: [], counts: [] };
  }
}
