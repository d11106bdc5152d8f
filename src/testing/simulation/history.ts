/** Something that a simulation recorded, for its checks. */
export interface HistoryEntry {
  /** True time, epoch milliseconds with a fraction. */
  readonly at: number;
  /** The process in which it happened. `null` for the world itself. */
  readonly process: string | null;
  /** The kind of the entry, such as `logout` or `fault`. */
  readonly kind: string;
  readonly data: Readonly<Record<string, unknown>>;
}

const FNV_OFFSET = 0x811c9dc5;
const FNV_PRIME = 0x01000193;

/** A running hash of everything that happened (FNV-1a). Two runs with one hash took the same steps. */
export class RunHash {
  #value: number = FNV_OFFSET;

  addNumber(value: number): void {
    this.#value = Math.imul(this.#value ^ (value | 0), FNV_PRIME);
  }

  addText(text: string): void {
    let value = this.#value;
    for (let index = 0; index < text.length; index++)
      value = Math.imul(value ^ text.charCodeAt(index), FNV_PRIME);
    this.#value = value;
  }

  /** Eight hexadecimal digits. */
  digest(): string {
    return (this.#value >>> 0).toString(16).padStart(8, "0");
  }
}

/** Returns a seed for one purpose. Purposes have independent sequences of random numbers. */
export function mixSeed(seed: number, purpose: string): number {
  const hash = new RunHash();
  hash.addNumber(seed);
  hash.addText(purpose);
  return Number.parseInt(hash.digest(), 16) | 0;
}
