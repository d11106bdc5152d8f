import { invalidOption } from "../../core/options.ts";
import type { Algorithm } from "../../jwt/algorithms.ts";
import { importSecret } from "../../jwt/jwk-set.ts";
import { configuredKeyring } from "./configured-keyring.ts";
import type { KeySource } from "./key-source.ts";

/**
 * One secret that signs and verifies: at least as many random bytes as the digest has (RFC 7518 §3.2). Whoever
 * verifies with it can also sign. It serves tokens with any `kid`, or none. Throws `invalid_key`.
 */
export function sharedSecret(secret: Uint8Array, algorithm: Extract<Algorithm, `HS${number}`>): KeySource {
  // A text would be taken too, and its length says little about how hard it is to guess.
  if (!(secret instanceof Uint8Array)) throw invalidOption("sharedSecret: secret", "random bytes", secret);
  const key = importSecret(secret, algorithm);
  return {
    kind: "secret",
    open({ algorithms }) {
      if (algorithms !== undefined && !algorithms.includes(algorithm)) {
        throw invalidOption(
          "algorithms",
          `left out or hold ${algorithm}, which sharedSecret is for`,
          algorithms,
        );
      }
      return configuredKeyring("secret", [algorithm], {
        kids: [],
        find: (_kid, wanted) => (wanted === algorithm ? [key] : []),
        has: (one) => one === key,
        hasKid: () => true,
      });
    },
  };
}
