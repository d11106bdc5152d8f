/*
 * The metrics of the library. A part counts in plain numbers, because a counter of a metrics library costs a third of a
 * decision from memory. It makes samples of them only when `metrics()` is called.
 */

/** Names and values of labels. */
export type MetricLabels = Readonly<Record<string, string>>;

export interface MetricSample {
  readonly labels: MetricLabels;
  readonly value: number;
}

/** A recent observation whose trace was recorded. */
export interface Exemplar {
  readonly traceId: string;
  readonly value: number;
  /** Epoch milliseconds. */
  readonly at: number;
}

/** The observations of a histogram. */
export interface HistogramSample {
  readonly labels: MetricLabels;
  /** Upper bounds of the buckets, ascending, in the unit of the metric. The last bucket has no bound. */
  readonly bounds: readonly number[];
  /** Observations in each bucket alone, with one member more than `bounds`. */
  readonly counts: readonly number[];
  readonly sum: number;
  /** The last one of each bucket, `null` where there is none. Empty when the histogram has none. */
  readonly exemplars: readonly (Exemplar | null)[];
  /** Calls `listener` with each later observation, and returns the function that ends it. */
  readonly observe: (listener: (value: number) => void) => () => void;
}

/** All samples of one metric. The name ends with its unit: `_seconds`, `_bytes`. Names of counters end with `_total`. */
export type MetricFamily =
  | {
      readonly kind: "counter" | "gauge";
      readonly name: string;
      readonly help: string;
      readonly samples: readonly MetricSample[];
    }
  | {
      readonly kind: "histogram";
      readonly name: string;
      readonly help: string;
      readonly samples: readonly HistogramSample[];
    };

/**
 * A part that has metrics: a guard, an issuer, the connections of an application. `holdfast/prometheus` reads them at
 * each scrape.
 *
 * @example
 * ```ts
 * import type { Guard, MetricSource } from "holdfast";
 *
 * declare const guard: Guard;
 *
 * const source: MetricSource = guard;
 * for (const { name, samples } of source.metrics()) console.log(name, samples.length);
 * ```
 */
export interface MetricSource {
  /** The current values. Every call of one source names the same metrics, also those without a sample. */
  metrics(): readonly MetricFamily[];
}

/** A gauge or counter with the given samples. */
export function metricFamily(
  kind: "counter" | "gauge",
  name: string,
  help: string,
  samples: readonly MetricSample[],
): MetricFamily {
  return { kind, name, help, samples };
}

/** Counts by one word, such as an outcome. The words come from the code, never from a request. */
export class Counts {
  readonly #counts: Map<string, { count: number }>;

  /** The `words` are counted from zero. An alert cannot see a series that begins with its first event. */
  constructor(words: readonly string[] = []) {
    this.#counts = new Map(words.map((word) => [word, { count: 0 }]));
  }

  add(word: string, times: number = 1): void {
    const found = this.#counts.get(word);
    if (found !== undefined) found.count += times;
    else this.#counts.set(word, { count: times });
  }

  count(word: string): number {
    return this.#counts.get(word)?.count ?? 0;
  }

  entries(): [word: string, count: number][] {
    return [...this.#counts].map(([word, { count }]) => [word, count]);
  }
}

/** Upper bounds of the durations of requests, in seconds. */
const REQUEST_BOUNDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** Observations in buckets. */
export class Histogram {
  readonly #bounds: readonly number[];
  readonly #counts: number[];
  readonly #listeners = new Set<(value: number) => void>();
  #exemplars: (Exemplar | null)[] = [];
  #sum = 0;

  /** `bounds` are the upper bounds of the buckets, ascending. */
  constructor(bounds: readonly number[]) {
    this.#bounds = bounds;
    this.#counts = Array.from({ length: bounds.length + 1 }, () => 0);
  }

  /** `trace` is the recorded trace that the observation belongs to. */
  record(value: number, trace?: Omit<Exemplar, "value">): void {
    const found = this.#bounds.findIndex((bound) => value <= bound);
    const bucket = found === -1 ? this.#bounds.length : found;
    this.#counts[bucket] = (this.#counts[bucket] ?? 0) + 1;
    this.#sum += value;
    if (trace !== undefined) {
      if (this.#exemplars.length === 0) this.#exemplars = this.#counts.map(() => null);
      this.#exemplars[bucket] = { ...trace, value };
    }
    for (const listener of this.#listeners) listener(value);
  }

  sample(labels: MetricLabels): HistogramSample {
    const observe = (listener: (value: number) => void) => {
      this.#listeners.add(listener);
      return () => void this.#listeners.delete(listener);
    };
    return {
      labels,
      bounds: this.#bounds,
      counts: [...this.#counts],
      sum: this.#sum,
      exemplars: [...this.#exemplars],
      observe,
    };
  }
}

/** Requests to another server: their outcomes, and how long each took in seconds. */
export class RequestCounts {
  readonly outcomes: Counts;
  readonly durations: Histogram;

  /** `bounds` are the upper bounds of the durations, in seconds. */
  constructor(outcomes: readonly string[], bounds: readonly number[] = REQUEST_BOUNDS) {
    this.outcomes = new Counts(outcomes);
    this.durations = new Histogram(bounds);
  }

  record(outcome: string, durationMs: number): void {
    this.outcomes.add(outcome);
    this.durations.record(durationMs / 1_000);
  }
}
