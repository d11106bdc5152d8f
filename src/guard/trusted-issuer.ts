import { HoldfastError } from "../core/errors.ts";
import { invalidOption, onlyKnown, requireMethods, wholeNumber } from "../core/options.ts";
import { isAlgorithm, type Algorithm } from "../jwt/algorithms.ts";
import { proofPolicy, type ProofPolicy } from "../jwt/claims.ts";
import type { RevocationFeed } from "../stores/contracts.ts";
import type { AuthoritySource } from "./authority/authority.ts";
import { discovered } from "./keys/discovered.ts";
import type { KeySource } from "./keys/key-source.ts";
import type { GuardOptions, TrustedIssuer } from "./types.ts";

/** What is said of one issuer, checked, copied and complete. */
export interface IssuerSettings {
  readonly policy: ProofPolicy;
  readonly keys: KeySource;
  readonly authority: AuthoritySource | undefined;
  readonly feed: RevocationFeed | undefined;
  readonly algorithms: readonly Algorithm[] | undefined;
}

/** Every option there is; the compiler keeps it complete. */
export const issuerOptions: readonly string[] = Object.keys({
  issuer: 0,
  audience: 0,
  keys: 0,
  authority: 0,
  revocations: 0,
  algorithms: 0,
  types: 0,
  requireTyp: 0,
  requiredClaims: 0,
  allowMissingExp: 0,
} satisfies Record<keyof TrustedIssuer, 0>);

/** One issuer, or each of `issuers`. Throws `invalid_option` or `missing_method`, naming the option. */
export function trustedIssuers(options: GuardOptions): readonly IssuerSettings[] {
  const { issuers } = options;
  if (issuers === undefined) return [trustedIssuer("createGuard", options)];
  const doubled = issuerOptions.find((name) => options[name as keyof TrustedIssuer] !== undefined);
  if (doubled !== undefined) {
    throw new HoldfastError("invalid_option", `createGuard takes ${doubled} or issuers, not both`);
  }
  if (!Array.isArray(issuers) || issuers.length === 0) {
    throw invalidOption("issuers", "a list of at least one issuer", issuers);
  }
  const settings = issuers.map((one, index) => {
    onlyKnown(`issuers[${index}]`, one, issuerOptions);
    return trustedIssuer(`issuers[${index}]`, one);
  });
  if (new Set(settings.map(({ policy }) => policy.issuer)).size < settings.length) {
    throw new HoldfastError("invalid_option", "issuers must name each issuer once");
  }
  if (settings.filter(({ authority }) => authority?.opaque != null).length > 1) {
    throw new HoldfastError(
      "invalid_option",
      "issuers must have at most one authority for opaque tokens: nothing about such a token tells whose it is",
    );
  }
  return settings;
}

function trustedIssuer(owner: string, options: TrustedIssuer): IssuerSettings {
  const { issuer, audience, types, requireTyp, requiredClaims, allowMissingExp } = options;
  const { keys = discovered(), authority, revocations, algorithms } = options;
  requireMethods(owner, "keys", keys, ["open"]);
  if (authority !== undefined) requireMethods(owner, "authority", authority, ["open"]);
  if (revocations !== undefined) {
    requireMethods(owner, "revocations", revocations, ["snapshot", "after", "subscribe"]);
    const name = `${owner}: revocations.snapshotTimeoutMs`;
    wholeNumber(name, revocations.snapshotTimeoutMs, { default: 1, min: 1 });
  }
  return {
    policy: proofPolicy({ issuer, audience, types, requireTyp, requiredClaims, allowMissingExp }),
    keys,
    authority,
    feed: revocations,
    algorithms: acceptedAlgorithms(algorithms, keys),
  };
}

/** A public key must never serve as an HMAC secret (RFC 8725 §3.1). */
function acceptedAlgorithms(
  algorithms: readonly Algorithm[] | undefined,
  keys: KeySource,
): readonly Algorithm[] | undefined {
  if (algorithms === undefined) return undefined;
  const fits = (name: unknown) => isAlgorithm(name) && (keys.kind === "secret" || !name.startsWith("HS"));
  if (!Array.isArray(algorithms) || algorithms.length === 0 || !algorithms.every(fits)) {
    throw invalidOption("algorithms", "a list of signature algorithms that fit the keys", algorithms);
  }
  return [...algorithms];
}
