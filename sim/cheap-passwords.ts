import argon2 from "@node-rs/argon2";
import type { World } from "../src/testing/simulation/index.ts";

/** The lowest cost that Argon2 allows. It takes some microseconds, and the usual one takes as long as a thousand events. */
const LOWEST = { memoryCost: 8, timeCost: 1, parallelism: 1 };
/** The parameters in a PHC string. */
const PARAMETERS = /\$m=\d+,t=\d+,p=\d+\$/;

/** The simulated time of a hash or check, milliseconds. Machines differ, and other threads take their share. */
const HASH_MS = [10, 150] as const;

type Cost = typeof LOWEST;

/**
 * Lets each issuer that is created from now on hash with the lowest cost of Argon2, and write the cost that it asked for
 * into the hash. A hash takes simulated time, so that changes of one password overtake each other. The returned function
 * ends that.
 */
export function lowerPasswordCost(world: World): () => void {
  const { hashSync, verifySync } = argon2;
  Object.assign(argon2, {
    hashSync: async (password: string, options: Cost) =>
      await takeTime(world, replaceCost(hashSync(password, { ...options, ...LOWEST }), options)),
    verifySync: async (hash: string, password: string) =>
      await takeTime(world, verifySync(replaceCost(hash, LOWEST), password)),
  });
  return () => void Object.assign(argon2, { hashSync, verifySync });
}

/** Resolves with a result later, unless the process that waits for it crashes. */
async function takeTime<T>(world: World, result: T): Promise<T> {
  const { current, random } = world;
  const [min, max] = HASH_MS;
  const ms = min + random() * (max - min);
  return await new Promise((resolve) => current?.planTimer(ms, () => resolve(result)));
}

function replaceCost(hash: string, { memoryCost, timeCost, parallelism }: Cost): string {
  return hash.replace(PARAMETERS, () => `$m=${memoryCost},t=${timeCost},p=${parallelism}$`);
}
