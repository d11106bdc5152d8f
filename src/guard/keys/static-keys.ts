import { HoldfastError } from "../../core/errors.ts";
import { asymmetricAlgorithms } from "../../jwt/algorithms.ts";
import { importJwkSet } from "../../jwt/jwk-set.ts";
import { createFixedKeyring } from "./fixed-keyring.ts";
import { KeySet } from "./key-set.ts";
import type { KeySource } from "./key-source.ts";

/**
 * Public keys from the configuration: a JWK Set (RFC 7517 §5), `{ keys: [...] }`. Nothing is fetched.
 *
 * Throws `invalid_key`, naming the key, when a key cannot be used. `createGuard` throws `invalid_key` when no key fits
 * the guard's `algorithms`.
 *
 * @example
 * ```ts
 * import { createGuard, staticKeys } from "holdfast";
 *
 * declare const jwkSet: { keys: Record<string, unknown>[] };
 *
 * export const guard = createGuard({
 *   issuer: "https://id.example.com",
 *   audience: "https://api.example.com",
 *   keys: staticKeys(jwkSet),
 * });
 * ```
 */
export function staticKeys(jwkSet: unknown): KeySource {
  const { keys, rejected } = importJwkSet(jwkSet, {});
  const [unusable] = rejected;
  if (unusable !== undefined) {
    throw new HoldfastError("invalid_key", `staticKeys: key ${unusable.index} ${unusable.reason}`);
  }
  return {
    kind: "static",
    identity: ["static", ...keys.map(({ id }) => id)],
    open({ algorithms = asymmetricAlgorithms }) {
      const set = new KeySet(keys.filter((key) => algorithms.includes(key.algorithm)));
      if (set.size === 0) {
        throw new HoldfastError("invalid_key", "staticKeys has no key for the algorithms of the guard");
      }
      return createFixedKeyring("static", algorithms, set);
    },
  };
}
