import { promisify } from "node:util";
import { deflateRaw } from "node:zlib";
import type { PackedHistory } from "../../dashboard/wire.ts";

const deflate = promisify(deflateRaw);

/** Values by column. `null` when there was nothing to measure. */
export type FrameValues = readonly (number | null)[];

/** The latest rows of numbers, in memory that never grows. */
export class FrameHistory {
  readonly #capacity: number;
  readonly #columns: number;
  readonly #times: Float64Array;
  /** Column by column, because a column compresses better than a row. */
  readonly #values: Float32Array;
  #rows = 0;
  /** The place of the next row. */
  #next = 0;
  #packed: Promise<PackedHistory> | null = null;

  constructor(capacity: number, columns: number) {
    this.#capacity = capacity;
    this.#columns = columns;
    this.#times = new Float64Array(capacity);
    this.#values = new Float32Array(capacity * columns);
  }

  get bytes(): number {
    return this.#times.byteLength + this.#values.byteLength;
  }

  /** Adds a row. A full history loses its oldest row. `at` is epoch milliseconds. */
  push(at: number, values: FrameValues): void {
    this.#packed = null;
    this.#times[this.#next] = at;
    for (let column = 0; column < this.#columns; column++) {
      this.#values[column * this.#capacity + this.#next] = values[column] ?? Number.NaN;
    }
    this.#next = (this.#next + 1) % this.#capacity;
    this.#rows = Math.min(this.#rows + 1, this.#capacity);
  }

  /** How many of the newest rows were added after the one of this time. `null` when that one is not here. */
  rowsAfter(at: number): number | null {
    for (let rows = 0; rows < this.#rows; rows++) {
      if (this.#times[this.#place(rows + 1)] === at) return rows;
    }
    return null;
  }

  /** How many rows are newer than this time, as a run that ends with the newest one. */
  countAfter(at: number): number {
    let rows = 0;
    while (rows < this.#rows && (this.#times[this.#place(rows + 1)] ?? 0) > at) rows++;
    return rows;
  }

  /** Packs all rows. The callers between two pushes share one result. */
  async packAll(): Promise<PackedHistory> {
    this.#packed ??= this.pack(this.#rows);
    return await this.#packed;
  }

  /** Packs the newest rows. They are copied at once, and the compression leaves the main thread free. */
  async pack(rows: number): Promise<PackedHistory> {
    const bytes = new Uint8Array(rows * (8 + 4 * this.#columns));
    this.#copy(this.#times, 0, rows, new Float64Array(bytes.buffer, 0, rows));
    for (let column = 0; column < this.#columns; column++) {
      const target = new Float32Array(bytes.buffer, 8 * rows + 4 * rows * column, rows);
      this.#copy(this.#values, column * this.#capacity, rows, target);
    }
    return { rows, data: (await deflate(bytes, { level: 3 })).toString("base64") };
  }

  /** Copies the newest rows of the column that begins at `start`, oldest first. */
  #copy<A extends Float64Array | Float32Array>(from: A, start: number, rows: number, target: A): void {
    const first = this.#place(rows);
    const untilEnd = Math.min(rows, this.#capacity - first);
    target.set(from.subarray(start + first, start + first + untilEnd), 0);
    target.set(from.subarray(start, start + rows - untilEnd), untilEnd);
  }

  /** The place of the row that was added `rows` rows ago; 1 is the newest. */
  #place(rows: number): number {
    return (this.#next - rows + this.#capacity) % this.#capacity;
  }
}
