import { Histogram, metricFamily, type MetricFamily } from "../../core/metrics.ts";

/** Upper bounds of the number of commands in one transaction. */
const GROUP_BOUNDS = [1, 2, 4, 8, 16, 32, 64, 128];

/** One transaction: how many commands it had, and the size of the database after it. The first one is the opening. */
export type Commit = readonly [commands: number, bytes: number];

/** The numbers of one SQLite store. */
export class CommitCounts {
  readonly #store: string;
  readonly #groupSizes = new Histogram(GROUP_BOUNDS);
  #bytes = 0;

  /** `store` is the description of the store. */
  constructor(store: string) {
    this.#store = store;
  }

  record([commands, bytes]: Commit): void {
    if (commands > 0) this.#groupSizes.record(commands);
    this.#bytes = bytes;
  }

  metrics(): readonly MetricFamily[] {
    const labels = { store: this.#store };
    return [
      metricFamily("gauge", "holdfast_store_bytes", "Size of the database after the last write.", [
        { labels, value: this.#bytes },
      ]),
      {
        kind: "histogram",
        name: "holdfast_store_group_size",
        help: "Commands that shared one transaction.",
        samples: [this.#groupSizes.sample(labels)],
      },
    ];
  }
}
