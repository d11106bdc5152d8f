import type { FrameValues } from "./frame-history.ts";

/** Combines the seconds of a minute into one row. */
export class MinuteFold {
  readonly #fields: readonly string[];
  #rows: FrameValues[] = [];
  #minute: number | null = null;

  constructor(fields: readonly string[]) {
    this.#fields = fields;
  }

  /** Adds a second. Returns the row of the minute before, with the time of its end, when this second begins a new one. */
  add(at: number, values: FrameValues): { readonly at: number; readonly values: FrameValues } | null {
    const minute = Math.floor(at / 60_000);
    const isNew = this.#minute !== null && minute !== this.#minute;
    const folded = isNew ? { at: at - (at % 60_000), values: this.#fold() } : null;
    if (isNew) this.#rows = [];
    this.#minute = minute;
    this.#rows.push(values);
    return folded;
  }

  #fold(): FrameValues {
    return this.#fields.map((field, column) => {
      const known = this.#rows.flatMap((row) => row[column] ?? []);
      return known.length === 0 ? null : combine(field, known);
    });
  }
}

const largest = /^health\.|p99Ms$|\.(?:state|breaker|degraded|failingS)$|AgeS$|\.stepS$/;
const smallest = /^store\.(?:up|diskFreeBytes)$/;

/** The page combines the seconds after its snapshot in the same way. A mean would hide a state and a slow answer. */
function combine(field: string, values: readonly number[]): number {
  if (largest.test(field)) return Math.max(...values);
  if (smallest.test(field)) return Math.min(...values);
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
