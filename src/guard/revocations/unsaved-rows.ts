import { MAX_PIECE_ROWS, type RevocationRow } from "./snapshot-format.ts";

/**
 * The rows that are in no saved piece yet. All but the newest wait as JSON in bytes outside of the heap. A log of a million
 * revocations loads faster than its pieces are saved, and the garbage collector would move each waiting row twice.
 */
export class UnsavedRows {
  #pieces: Uint8Array[] = [];
  #recent: RevocationRow[] = [];

  /** The newest rows, at most as many as a piece has. */
  get recent(): readonly RevocationRow[] {
    return this.#recent;
  }

  get length(): number {
    return this.#pieces.length * MAX_PIECE_ROWS + this.#recent.length;
  }

  /** Whether the rows fill a piece. */
  get hasPiece(): boolean {
    return this.#pieces.length > 0;
  }

  push(row: RevocationRow): void {
    this.#recent.push(row);
    if (this.#recent.length <= MAX_PIECE_ROWS) return;
    this.#pieces.push(new TextEncoder().encode(JSON.stringify(this.#recent.splice(-MAX_PIECE_ROWS))));
  }

  /** Removes a full piece and returns its JSON. `null` when the rows fill no piece. */
  takePiece(): Uint8Array | null {
    return this.#pieces.pop() ?? null;
  }

  clear(): void {
    this.#pieces = [];
    this.#recent = [];
  }
}
