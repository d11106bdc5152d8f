import type { Contender } from "./measure.ts";

/** `callers` at once; each awaits its `work` before it begins again. */
export function inFlight(
  callers: number,
  name: string,
  work: () => Promise<unknown>,
  target?: number,
): Contender {
  return {
    name,
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
