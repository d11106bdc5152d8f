/** The size of the window, in samples. */
const SAMPLES = 100;

/** Tracks the latency of the latest answers. */
export class LatencyWindow {
  readonly #samples: number[] = [];
  #next = 0;
  #p99 = 0;

  add(ms: number): void {
    this.#samples[this.#next] = ms;
    this.#next = (this.#next + 1) % SAMPLES;
    const sorted = this.#samples.toSorted((a, b) => a - b);
    this.#p99 = sorted[Math.ceil(sorted.length * 0.99) - 1] ?? 0;
  }

  /** The 99th percentile in milliseconds. 0 before the first sample. */
  get p99Ms(): number {
    return this.#p99;
  }
}
