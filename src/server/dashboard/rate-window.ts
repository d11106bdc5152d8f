/** The rate of a counter, over the last second and over the latest seconds. */
export class RateWindow {
  readonly #length: number;
  /** The latest readings, oldest first. */
  readonly #readings: { readonly value: number; readonly at: number }[] = [];

  /** The window has the counts between the newest reading and the one `length` readings before it. */
  constructor(length: number) {
    this.#length = length;
  }

  /** Adds what is counted since the start. `at` is monotonic, in milliseconds. */
  add(value: number, at: number): void {
    this.#readings.push({ value, at });
    if (this.#readings.length > this.#length + 1) this.#readings.shift();
  }

  /** The rate since the reading before. `null` at the first one. */
  latestPerS(): number | null {
    const [before, newest] = this.#readings.slice(-2);
    if (before === undefined || newest === undefined || newest.at <= before.at) return null;
    return Math.max(0, newest.value - before.value) / ((newest.at - before.at) / 1_000);
  }

  /** The rate over the window. */
  recentPerS(): number {
    const [oldest, newest] = [this.#readings[0], this.#readings.at(-1)];
    if (oldest === undefined || newest === undefined || newest.at <= oldest.at) return 0;
    return this.recentCount() / ((newest.at - oldest.at) / 1_000);
  }

  /** The count of the window. */
  recentCount(): number {
    return Math.max(0, (this.#readings.at(-1)?.value ?? 0) - (this.#readings[0]?.value ?? 0));
  }
}
