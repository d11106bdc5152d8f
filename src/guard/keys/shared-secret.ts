import { invalidOption, readString, rejectUnknownOptions } from "../../core/options.ts";
import type { Algorithm } from "../../jwt/algorithms.ts";
import { importSecret } from "../../jwt/jwk-set.ts";
import { createFixedKeyring } from "./fixed-keyring.ts";
import type { KeySource } from "./key-source.ts";

/**
 * Options of `sharedSecret()`.
 *
 * @example
 * ```ts
 * import { sharedSecret, type SharedSecretOptions } from "holdfast";
 *
 * declare const secrets: Record<string, Uint8Array>;
 *
 * const only = (kid: string): SharedSecretOptions => ({ kid });
 * export const keys = Object.entries(secrets).map(([kid, secret]) => sharedSecret(secret, "HS256", only(kid)));
 * ```
 */
export interface SharedSecretOptions {
  /** The only `kid` whose tokens the secret verifies, beside tokens without one. Default: every `kid`. */
  kid?: string;
}

/**
 * One secret that signs and verifies (HS256, HS384, HS512). It must have at least as many random bytes as the digest
 * (RFC 7518 §3.2). Every holder of the secret can also issue tokens. It verifies tokens with any `kid` or none, unless the
 * option `kid` names one. A list of several secrets accepts the tokens of each, so that a secret can be replaced.
 *
 * Throws `invalid_option` when `secret` is not bytes, and `invalid_key` when it is too short.
 *
 * @example
 * ```ts
 * import { createGuard, sharedSecret } from "holdfast";
 *
 * declare const secret: Uint8Array; // 32 random bytes from a secret manager
 * declare const oldSecret: Uint8Array; // accepted until its last token has expired
 *
 * export const guard = createGuard({
 *   issuer: "https://id.example.com",
 *   audience: "https://api.example.com",
 *   keys: [sharedSecret(secret, "HS256"), sharedSecret(oldSecret, "HS256")],
 * });
 * ```
 */
export function sharedSecret(
  secret: Uint8Array,
  algorithm: Extract<Algorithm, `HS${number}`>,
  options: SharedSecretOptions = {},
): KeySource {
  rejectUnknownOptions("sharedSecret", options, ["kid"]);
  const kid = options.kid === undefined ? undefined : readString("sharedSecret: kid", options.kid);
  // A passphrase is refused: its length says little about how hard it is to guess.
  if (!(secret instanceof Uint8Array)) throw invalidOption("sharedSecret: secret", "random bytes", secret);
  const key = importSecret(secret, algorithm);
  const serves = (wanted: string | undefined) => kid === undefined || wanted === undefined || wanted === kid;
  return {
    kind: "secret",
    identity: ["secret", key.id, kid],
    open({ algorithms }) {
      if (algorithms !== undefined && !algorithms.includes(algorithm)) {
        throw invalidOption(
          "algorithms",
          `left out or include ${algorithm}, the algorithm of sharedSecret`,
          algorithms,
        );
      }
      return createFixedKeyring("secret", [algorithm], {
        kids: kid === undefined ? [] : [kid],
        find: (wantedKid, wanted) => (wanted === algorithm && serves(wantedKid) ? [key] : []),
        has: (candidate) => candidate === key,
        hasKid: serves,
      });
    },
  };
}
