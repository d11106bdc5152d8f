import type { PackedHistory } from "../wire.ts";
import { combine } from "./combine.ts";

/** Rows of numbers over time, in typed arrays of a fixed size. The oldest row makes room for a new one. */
export class History {
  readonly #times: Float64Array;
  readonly #columns: ReadonlyMap<string, Float32Array>;
  readonly #capacity: number;
  #next = 0;
  #length = 0;

  constructor(fields: readonly string[], capacity: number) {
    this.#capacity = capacity;
    this.#times = new Float64Array(capacity);
    this.#columns = new Map(fields.map((field) => [field, new Float32Array(capacity)]));
  }

  get length(): number {
    return this.#length;
  }

  /** Epoch ms of the newest row. 0 without a row. */
  get lastAt(): number {
    return this.#length === 0 ? 0 : (this.#times[(this.#next + this.#capacity - 1) % this.#capacity] ?? 0);
  }

  /** Adds a row with the values in the order of the fields. A row that is not newer than the last one is left out. */
  push(at: number, values: ArrayLike<number | null>): void {
    if (at <= this.lastAt) return;
    this.#times[this.#next] = at;
    let index = 0;
    for (const column of this.#columns.values()) column[this.#next] = values[index++] ?? NaN;
    this.#next = (this.#next + 1) % this.#capacity;
    this.#length = Math.min(this.#capacity, this.#length + 1);
  }

  /** Removes the rows of this time and later, which a clock that was set back makes wrong. `at` is epoch ms. */
  dropFrom(at: number): void {
    while (this.#length > 0 && this.lastAt >= at) {
      this.#next = (this.#next + this.#capacity - 1) % this.#capacity;
      this.#length -= 1;
    }
  }

  /** The times from `since` on, in seconds, as charts need them. Rows within `stepMs` are joined to one. */
  times(since: number, stepMs: number): number[] {
    return this.#groups(since, stepMs).map((rows) => (this.#times[rows.at(-1) ?? 0] ?? 0) / 1000);
  }

  /** The values of a field at these times. `null` where nothing was measured, and for an unknown field. */
  values(field: string, since: number, stepMs: number): (number | null)[] {
    const column = this.#columns.get(field);
    return this.#groups(since, stepMs).map((rows) => {
      const known = rows.map((row) => column?.[row] ?? NaN).filter((value) => !Number.isNaN(value));
      return known.length === 0 ? null : combine(field, known);
    });
  }

  /** The mean of a field over the newest rows. `null` when nothing was measured in them. */
  mean(field: string, rows: number): number | null {
    const column = this.#columns.get(field);
    let [sum, count] = [0, 0];
    for (let back = 1; back <= Math.min(rows, this.#length); back++) {
      const value = column?.[(this.#next + this.#capacity - back) % this.#capacity];
      if (value === undefined || Number.isNaN(value)) continue;
      sum += value;
      count += 1;
    }
    return count === 0 ? null : sum / count;
  }

  #groups(since: number, stepMs: number): number[][] {
    const groups: number[][] = [];
    let step = NaN;
    for (let back = this.#length; back > 0; back--) {
      const row = (this.#next + this.#capacity - back) % this.#capacity;
      const at = this.#times[row] ?? 0;
      if (at < since) continue;
      // Steps begin at round times, so that a point of a chart does not change when a row is added behind it.
      const own = Math.floor(at / stepMs);
      if (own === step) groups.at(-1)?.push(row);
      else groups.push([row]);
      step = own;
    }
    return groups;
  }
}

/** Adds the rows of a packed history to `history`, whose fields are in the order of the columns. */
export async function unpackInto(
  history: History,
  fields: number,
  { rows, data }: PackedHistory,
): Promise<void> {
  if (rows === 0) return;
  const bytes = await inflate(Uint8Array.from(atob(data), (char) => char.charCodeAt(0)));
  const times = new Float64Array(bytes, 0, rows);
  const columns = Array.from(
    { length: fields },
    (_, index) => new Float32Array(bytes, rows * (8 + 4 * index), rows),
  );
  for (let row = 0; row < rows; row++) {
    const at = times[row] ?? 0;
    // The rows are in the order in which they were measured.
    if (at < history.lastAt) history.dropFrom(at);
    history.push(
      at,
      columns.map((column) => column[row] ?? NaN),
    );
  }
}

async function inflate(bytes: Uint8Array<ArrayBuffer>): Promise<ArrayBuffer> {
  return await new Response(
    new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate-raw")),
  ).arrayBuffer();
}
