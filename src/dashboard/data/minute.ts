import { combine } from "./combine.ts";

type Values = readonly (number | null)[];

/** Joins the frames of a minute to one row. */
export class Minute {
  readonly #fields: readonly string[];
  #frames: Values[] = [];
  #minute = 0;

  constructor(fields: readonly string[]) {
    this.#fields = fields;
  }

  /** Adds a frame. Returns the row of the minute before, with the time of its end, when the frame begins another one. */
  add(at: number, values: Values): { readonly at: number; readonly values: Values } | null {
    const minute = Math.floor(at / 60_000);
    const isNew = minute !== this.#minute && this.#frames.length > 0;
    const finished = isNew ? { at: (this.#minute + 1) * 60_000, values: this.#join() } : null;
    if (isNew) this.#frames = [];
    this.#minute = minute;
    this.#frames.push(values);
    return finished;
  }

  #join(): Values {
    return this.#fields.map((field, index) => {
      const known = this.#frames.flatMap((frame) => frame[index] ?? []);
      return known.length === 0 ? null : combine(field, known);
    });
  }
}
