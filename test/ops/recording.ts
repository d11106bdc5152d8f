import type { HistogramSample, MetricLabels, MetricSource } from "../../src/core/metrics.ts";
import type { FakeClock } from "../../src/testing/index.ts";
import { SCRAPE_MS, SeriesLog } from "./series.ts";

const INSTANCE = "one";

/** The series of a simulated program, as Prometheus would have scraped them. */
export class Recording {
  readonly #clock: FakeClock;
  readonly #sources: readonly MetricSource[];
  readonly #series: SeriesLog;

  /** `series` gets the scrapes, after those that it has. */
  constructor(clock: FakeClock, sources: readonly MetricSource[], series: SeriesLog = new SeriesLog()) {
    this.#clock = clock;
    this.#sources = sources;
    this.#series = series;
  }

  /** Records some minutes. `traffic` runs before each scrape. Without an answer, a scrape finds the program down. */
  async run(minutes: number, traffic: () => Promise<unknown>, isAnswering = true): Promise<void> {
    for (let left = (minutes * 60_000) / SCRAPE_MS; left > 0; left--) {
      await traffic();
      this.#scrape(isAnswering);
      await this.#clock.advance(SCRAPE_MS);
    }
  }

  /** The series in the form of `promtool test rules`. */
  inputSeries(): { series: string; values: string }[] {
    return this.#series.inputSeries();
  }

  #scrape(isAnswering: boolean): void {
    this.#record("up", {}, isAnswering ? 1 : 0);
    if (isAnswering) {
      for (const { kind, name, samples } of this.#sources.flatMap((source) => source.metrics())) {
        if (kind === "histogram") {
          for (const sample of samples) this.#recordHistogram(name, sample);
        } else {
          for (const { labels, value } of samples) this.#record(name, labels, value);
        }
      }
    }
    this.#series.next();
  }

  #recordHistogram(name: string, { labels, bounds, counts, sum }: HistogramSample): void {
    let total = 0;
    for (const [i, count] of counts.entries()) {
      total += count;
      this.#record(`${name}_bucket`, { ...labels, le: String(bounds[i] ?? "+Inf") }, total);
    }
    this.#record(`${name}_count`, labels, total);
    this.#record(`${name}_sum`, labels, sum);
  }

  #record(name: string, labels: MetricLabels, value: number): void {
    const text = Object.entries(labels).map(([label, word]) => `${label}=${JSON.stringify(word)}`);
    this.#series.add(name, text.join(","), value, INSTANCE);
  }
}
