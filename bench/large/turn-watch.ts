import { setImmediate as nextTurn } from "node:timers/promises";

/** The longest turns of the event loop since the last `take()`, milliseconds. */
export interface LongestTurns {
  /** Processor time of the main thread. Other programs do not count, and neither does a wait. */
  readonly cpuMs: number;
  /** Wall time, with everything that kept the thread from its next turn. */
  readonly wallMs: number;
}

/**
 * The processor time of this thread, milliseconds. Linux counts it up only every 4 ms, at a timer interrupt, unless the
 * time of the whole process is read first. A turn of 0.1 ms could otherwise seem to take 4 ms.
 */
export function threadMs(): number {
  process.cpuUsage();
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}

/** Measures every turn of this thread's event loop from now on. The watch keeps one processor busy. */
export function watchTurns(): { take: () => LongestTurns } {
  let cpuMs = 0;
  let wallMs = 0;
  const watch = async () => {
    let cpu = threadMs();
    let wall = performance.now();
    for (;;) {
      await nextTurn();
      const [cpuNow, wallNow] = [threadMs(), performance.now()];
      cpuMs = Math.max(cpuMs, cpuNow - cpu);
      wallMs = Math.max(wallMs, wallNow - wall);
      [cpu, wall] = [cpuNow, wallNow];
    }
  };
  void watch();
  return {
    take() {
      const longest = { cpuMs, wallMs };
      cpuMs = 0;
      wallMs = 0;
      return longest;
    },
  };
}

/** How often the light watch looks, milliseconds. */
const TICK_MS = 5;

/** The same at little cost, for a service under load: the time between two ticks may hold several turns. */
export function watchTicks(): { take: () => LongestTurns } {
  let cpuMs = 0;
  let wallMs = 0;
  let cpu = threadMs();
  let wall = performance.now();
  setInterval(() => {
    const [cpuNow, wallNow] = [threadMs(), performance.now()];
    const lateMs = wallNow - wall - TICK_MS;
    wallMs = Math.max(wallMs, lateMs);
    // Work of other turns fits into a tick that came in time.
    if (lateMs > TICK_MS) cpuMs = Math.max(cpuMs, Math.min(lateMs, cpuNow - cpu));
    [cpu, wall] = [cpuNow, wallNow];
  }, TICK_MS);
  return {
    take() {
      const longest = { cpuMs, wallMs };
      cpuMs = 0;
      wallMs = 0;
      return longest;
    },
  };
}
