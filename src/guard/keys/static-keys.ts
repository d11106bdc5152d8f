import { HoldfastError } from "../../core/errors.ts";
import { asymmetricAlgorithms } from "../../jwt/algorithms.ts";
import { importJwkSet } from "../../jwt/jwk-set.ts";
import { configuredKeyring } from "./configured-keyring.ts";
import { KeySet } from "./key-set.ts";
import type { KeySource } from "./key-source.ts";

/**
 * Public keys that are configured: a JWK Set (RFC 7517 §5), `{ keys: [...] }`. Every key must be usable; throws
 * `invalid_key` otherwise, naming the key.
 */
export function staticKeys(jwkSet: unknown): KeySource {
  const { keys, rejected } = importJwkSet(jwkSet, {});
  const [bad] = rejected;
  if (bad !== undefined) {
    throw new HoldfastError("invalid_key", `staticKeys: key ${bad.index} ${bad.reason}`);
  }
  return {
    kind: "static",
    open({ algorithms = asymmetricAlgorithms }) {
      const set = new KeySet(keys.filter((key) => algorithms.includes(key.algorithm)));
      if (set.size === 0) {
        throw new HoldfastError("invalid_key", "staticKeys holds no key for the algorithms of the guard");
      }
      return configuredKeyring("static", algorithms, set);
    },
  };
}
