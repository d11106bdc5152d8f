import { systemClock, type Clock } from "../core/clock.ts";
import { systemEntropy, systemRandom, type Entropy } from "../core/entropy.ts";
import { platformFetch, type Fetch } from "../guard/fetch-json.ts";

/** What a service gets from outside of its process: time, chance, and the answers of other servers. */
export interface Platform {
  readonly clock: Clock;
  readonly random: () => number;
  readonly entropy: Entropy;
  readonly fetch: Fetch;
}

/** The platform of `holdfast serve`. */
export const systemPlatform: Platform = {
  clock: systemClock,
  random: systemRandom,
  entropy: systemEntropy,
  fetch: platformFetch,
};
