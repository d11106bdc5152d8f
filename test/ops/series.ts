/** The time between two scrapes. */
export const SCRAPE_MS = 15_000;

/** The series of one or more programs, as Prometheus would have scraped them. */
export class SeriesLog {
  readonly #values = new Map<string, string[]>();
  #scrapes = 0;

  /** How many scrapes have ended. */
  get scrapes(): number {
    return this.#scrapes;
  }

  /** Adds a value to the current scrape. `labels` is the text between the braces, without the labels of the scrape. */
  add(name: string, labels: string, value: number, instance: string): void {
    const all = [
      ...(labels === "" ? [] : [labels]),
      `job="holdfast"`,
      `instance=${JSON.stringify(instance)}`,
    ];
    const series = `${name}{${all.join(",")}}`;
    const values = this.#fill(this.#values.get(series) ?? []);
    values.push(value === Infinity ? "inf" : String(value));
    this.#values.set(series, values);
  }

  /** Adds all values of a page in the text format of Prometheus to the current scrape. */
  addPage(page: string, instance: string): void {
    for (const [, name = "", labels = "", value = ""] of page.matchAll(/^(\w+)(?:\{(.*)\})? (\S+)$/gm)) {
      this.add(name, labels, value === "+Inf" ? Infinity : Number(value), instance);
    }
  }

  /** Ends the current scrape, and begins the next one. */
  next(): void {
    this.#scrapes++;
  }

  /** The series in the form of `promtool test rules`. */
  inputSeries(): { series: string; values: string }[] {
    return [...this.#values].map(([series, values]) => ({ series, values: this.#fill(values).join(" ") }));
  }

  /** The times of the first and of the last scrape, in seconds, when the first was made at `startMs`. */
  seconds(startMs: number): [first: number, last: number] {
    return [startMs / 1_000, (startMs + (this.#scrapes - 1) * SCRAPE_MS) / 1_000];
  }

  /** All values in the format of OpenMetrics, when the first scrape was made at `startMs`. */
  openMetrics(startMs: number): string {
    const lines = [...this.#values]
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .flatMap(([series, values]) =>
        values.flatMap((value, scrape) => {
          const seconds = (startMs + scrape * SCRAPE_MS) / 1_000;
          return value === "_" ? [] : [`${series} ${value === "inf" ? "+Inf" : value} ${seconds}`];
        }),
      );
    return `${lines.join("\n")}\n# EOF\n`;
  }

  /** Marks the scrapes that did not find the series. */
  #fill(values: readonly string[]): string[] {
    return [...values, ...Array.from({ length: this.#scrapes - values.length }, () => "_")];
  }
}
