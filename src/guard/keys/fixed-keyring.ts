import type { Algorithm } from "../../jwt/algorithms.ts";
import type { KeySet } from "./key-set.ts";
import type { KeyLookup, Keyring, KeySource, KeysStatus } from "./key-source.ts";

/** The part of a key set that a configured keyring reads. */
export type KeyIndex = Pick<KeySet, "kids" | "find" | "has" | "hasKid">;

/** Configured keys never change, so a `kid` that is missing from them is unknown for good. */
export function createFixedKeyring(
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
    maxStaleMs: null,
    fresh: true,
    vanished: [],
    coolingDownMs: 0,
    lastError: null,
  };
  return {
    algorithms,
    version: 1,
    epoch: 0,
    mayHaveOthers: () => false,
    find: (kid, algorithm) => keys.find(kid, algorithm),
    mayHaveUnfetched: () => false,
    refreshAfterBadSignature: () => {},
    resolve: async ({ kid }) => {
      const reason = keys.hasKid(kid) ? "wrong_algorithm" : "unknown_key";
      return await Promise.resolve<KeyLookup>({ status: "invalid", reason });
    },
    isInForce: (key) => keys.has(key),
    hasVanished: () => false,
    // A compromised key is removed from the configuration.
    distrust: () => {},
    status: () => status,
    ready: async () => await Promise.resolve(),
    close: async () => await Promise.resolve(),
  };
}
