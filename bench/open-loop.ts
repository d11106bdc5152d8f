import { setImmediate as nextTurn, setTimeout as wait } from "node:timers/promises";

/** Starts `work` at fixed times, and returns how long after its time each one ended, ms, sorted. */
export async function openLoop(
  perS: number,
  seconds: number,
  work: () => Promise<unknown>,
): Promise<number[]> {
  const from = performance.now();
  const count = Math.round(perS * seconds);
  const running: Promise<number>[] = [];
  for (let i = 0; i < count; i++) {
    const due = from + (i * 1000) / perS;
    // A loop that is late yields as well, so that answers and signals are read.
    await (performance.now() < due ? wait(due - performance.now()) : nextTurn());
    // A timer can fire a fraction of a millisecond early.
    const started = Math.min(due, performance.now());
    running.push(work().then(() => performance.now() - started));
  }
  return (await Promise.all(running)).toSorted((a, b) => a - b);
}

export interface Summary {
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

/** `times` are sorted. */
export function summarize(times: readonly number[]): Summary {
  const at = (q: number) => times[Math.min(times.length - 1, Math.floor(q * times.length))] ?? NaN;
  return { p50: at(0.5), p99: at(0.99), max: at(1) };
}
