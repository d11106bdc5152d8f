import type { Algorithm } from "../../jwt/algorithms.ts";
import type { KeyLookup, Keyring, KeysStatus, KeySource } from "./key-source.ts";
import type { KeySet } from "./key-set.ts";

/** Keys, however they are found. */
export type KeyIndex = Pick<KeySet, "kids" | "find" | "has" | "hasKid">;

/** Keys that are configured: always there, never others, and what is not among them is unknown for good. */
export function configuredKeyring(
  kind: KeySource["kind"],
  algorithms: readonly Algorithm[],
  keys: KeyIndex,
): Keyring {
  const { kids } = keys;
  const status: KeysStatus = {
    kind,
    usable: true,
    kids,
    ageMs: null,
    fresh: true,
    vanished: [],
    coolingDownMs: 0,
    lastError: null,
  };
  return {
    algorithms,
    version: 1,
    epoch: 0,
    mayGrow: false,
    find: (kid, algorithm) => keys.find(kid, algorithm),
    mayHaveUnfetched: () => false,
    resolve: async ({ kid }) => {
      const reason = keys.hasKid(kid) ? "wrong_algorithm" : "unknown_key";
      return await Promise.resolve<KeyLookup>({ status: "invalid", reason });
    },
    isInForce: (key) => keys.has(key),
    hasVanished: () => false,
    // What is configured is changed where it is configured.
    distrust: () => {},
    status: () => status,
    ready: async () => await Promise.resolve(),
    close: async () => await Promise.resolve(),
  };
}
