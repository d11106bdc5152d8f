/**
 * Returns a generator of numbers from 0 to 1 (mulberry32). The same seed gives the same sequence. Pass it as a `random`
 * option.
 *
 * @example
 * ```ts
 * import { createProvider, seededRandom } from "holdfast/testing";
 *
 * const provider = await createProvider({ audience: "https://api.example.com", random: seededRandom(7) });
 * provider.fault("jwks", { status: 500, probability: 0.5 });
 * ```
 */
export function seededRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
