import argon2 from "@node-rs/argon2";

/** The lowest cost that Argon2 allows. It takes some microseconds, and the usual one takes as long as a thousand events. */
const LOWEST = { memoryCost: 8, timeCost: 1, parallelism: 1 };
/** The parameters in a PHC string. */
const PARAMETERS = /\$m=\d+,t=\d+,p=\d+\$/;

type Cost = typeof LOWEST;

/**
 * Lets each issuer that is created from now on hash with the lowest cost of Argon2, and write the cost that it asked for
 * into the hash. The returned function ends that.
 */
export function lowerPasswordCost(): () => void {
  const { hashSync, verifySync } = argon2;
  Object.assign(argon2, {
    hashSync: (password: string, options: Cost) =>
      replaceCost(hashSync(password, { ...options, ...LOWEST }), options),
    verifySync: (hash: string, password: string) => verifySync(replaceCost(hash, LOWEST), password),
  });
  return () => void Object.assign(argon2, { hashSync, verifySync });
}

function replaceCost(hash: string, { memoryCost, timeCost, parallelism }: Cost): string {
  return hash.replace(PARAMETERS, () => `$m=${memoryCost},t=${timeCost},p=${parallelism}$`);
}
