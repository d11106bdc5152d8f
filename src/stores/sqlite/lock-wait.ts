/*
 * How the store's own thread waits for the lock of another process. A commit takes a fraction of a millisecond, and a
 * timer waits for at least one. So the thread first blocks itself for shorter times, which costs no other work.
 */

/** How long the thread waits in short steps, ms. A lock that is held for longer is waited for with timers. */
export const SHORT_WAIT_MS = 20;

const SHORTEST_STEP_MS = 0.05;
export const LONGEST_STEP_MS = 0.3;

const cell = new Int32Array(new SharedArrayBuffer(4));

/** Blocks this thread for `ms`, fractions included. */
export function blockThread(ms: number): void {
  Atomics.wait(cell, 0, 0, ms);
}

/**
 * Blocks this thread for one short step, then lets it read its messages. The step is random, so that two processes do
 * not keep missing each other. Only a thread without other work may call it.
 */
export async function waitOneStep(random: () => number): Promise<void> {
  blockThread(SHORTEST_STEP_MS + random() * (LONGEST_STEP_MS - SHORTEST_STEP_MS));
  await new Promise<void>((done) => setImmediate(done));
}
