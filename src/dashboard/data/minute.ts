/** Means over a minute hide what a state or a slow answer says, so these fields keep the worst second. */
const keepsWorst = /^health\.|p99Ms$|\.(?:state|breaker|degraded|failingS)$|AgeS$|\.stepS$/;

/** Joins the frames of a minute to one row, as the server does for the history of a day. */
export class Minute {
  readonly #fields: readonly string[];
  readonly #values: Float64Array;
  readonly #counts: Uint16Array;
  #minute = 0;

  constructor(fields: readonly string[]) {
    this.#fields = fields;
    this.#values = new Float64Array(fields.length);
    this.#counts = new Uint16Array(fields.length);
  }

  /** Adds a frame. Returns the row of the minute before, when the frame begins another one. */
  add(at: number, values: readonly (number | null)[]): { at: number; values: (number | null)[] } | null {
    const minute = Math.floor(at / 60_000);
    const finished = this.#minute !== 0 && minute !== this.#minute ? this.#finish() : null;
    this.#minute = minute;
    for (const [index, value] of values.entries()) {
      if (value === null) continue;
      const count = this.#counts[index] ?? 0;
      const sum = this.#values[index] ?? 0;
      const isWorst = keepsWorst.test(this.#fields[index] ?? "");
      this.#values[index] = isWorst ? (count === 0 ? value : Math.max(sum, value)) : sum + value;
      this.#counts[index] = isWorst ? 1 : count + 1;
    }
    return finished;
  }

  #finish(): { at: number; values: (number | null)[] } {
    const values = Array.from(this.#values, (sum, index) => {
      const count = this.#counts[index] ?? 0;
      return count === 0 ? null : sum / count;
    });
    this.#values.fill(0);
    this.#counts.fill(0);
    return { at: (this.#minute + 1) * 60_000, values };
  }
}
