import type { Contender } from "./measure.ts";

/**
 * Runs `callers` loops at once. Each loop awaits its `work` before it repeats. A round has work for each of them, also
 * when one `work` takes longer than a round: with fewer iterations than callers, fewer would be in flight.
 */
export function inFlight(
  callers: number,
  name: string,
  work: () => Promise<unknown>,
  target?: number,
): Contender {
  return {
    name,
    unit: callers,
    waits: true,
    ...(target !== undefined && { target }),
    async run(iterations) {
      let left = iterations;
      const caller = async () => {
        while (left-- > 0) await work();
      };
      await Promise.all(Array.from({ length: callers }, caller));
    },
  };
}
