import { invalidOption } from "../../core/options.ts";
import type { Algorithm } from "../../jwt/algorithms.ts";
import { importSecret } from "../../jwt/jwk-set.ts";
import { createFixedKeyring } from "./fixed-keyring.ts";
import type { KeySource } from "./key-source.ts";

/**
 * One secret that signs and verifies (HS256, HS384, HS512). It must have at least as many random bytes as the digest
 * (RFC 7518 §3.2). Every holder of the secret can also issue tokens. It verifies tokens with any `kid` or none.
 *
 * Throws `invalid_option` when `secret` is not bytes, and `invalid_key` when it is too short.
 *
 * @example
 * ```ts
 * import { createGuard, sharedSecret } from "holdfast";
 *
 * declare const secret: Uint8Array; // 32 random bytes from a secret manager
 *
 * export const guard = createGuard({
 *   issuer: "https://id.example.com",
 *   audience: "https://api.example.com",
 *   keys: sharedSecret(secret, "HS256"),
 * });
 * ```
 */
export function sharedSecret(secret: Uint8Array, algorithm: Extract<Algorithm, `HS${number}`>): KeySource {
  // A passphrase is refused: its length says little about how hard it is to guess.
  if (!(secret instanceof Uint8Array)) throw invalidOption("sharedSecret: secret", "random bytes", secret);
  const key = importSecret(secret, algorithm);
  return {
    kind: "secret",
    identity: ["secret", key.id],
    open({ algorithms }) {
      if (algorithms !== undefined && !algorithms.includes(algorithm)) {
        throw invalidOption(
          "algorithms",
          `left out or include ${algorithm}, the algorithm of sharedSecret`,
          algorithms,
        );
      }
      return createFixedKeyring("secret", [algorithm], {
        kids: [],
        find: (_kid, wanted) => (wanted === algorithm ? [key] : []),
        has: (candidate) => candidate === key,
        hasKid: () => true,
      });
    },
  };
}
