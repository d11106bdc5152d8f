/** A time in which a state did not change. */
export interface Period {
  /** Epoch seconds. */
  readonly from: number;
  readonly to: number;
  /** The number that the contract gives the state. `null` when it is unknown. */
  readonly state: number | null;
}

/** Joins rows with the same state to periods, oldest first. */
export function periodsOf(times: readonly number[], values: readonly (number | null)[]): Period[] {
  const found: { from: number; to: number; state: number | null }[] = [];
  for (const [row, from] of times.entries()) {
    const state = values[row] ?? null;
    const last = found.at(-1);
    const to = times[row + 1] ?? from;
    if (last !== undefined && last.state === state) last.to = to;
    else found.push({ from, to, state });
  }
  return found;
}

/** The row at an instant in epoch ms. The last one when the instant is `null` or after it. */
export function rowAt(times: readonly number[], at: number | null): number {
  if (at === null) return times.length - 1;
  const after = times.findIndex((seconds) => seconds * 1000 >= at);
  return after === -1 ? times.length - 1 : after;
}
