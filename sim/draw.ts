/** Draws values from a sequence of random numbers. */
export class Draw {
  readonly #random: () => number;

  constructor(random: () => number) {
    this.#random = random;
  }

  number(min: number, max: number): number {
    return min + this.#random() * (max - min);
  }

  /** A whole number, both bounds included. */
  whole(min: number, max: number): number {
    return Math.floor(this.number(min, max + 1));
  }

  chance(share: number): boolean {
    return this.#random() < share;
  }

  pick<T>(values: readonly T[]): T {
    if (values.length === 0) throw new TypeError("there is nothing to draw from");
    return values[Math.floor(this.#random() * values.length)] as T;
  }
}
