import { HoldfastError } from "../core/errors.ts";
import { invalidOption, rejectUnknownOptions, requireMethods, readWholeNumber } from "../core/options.ts";
import { isAlgorithm, type Algorithm } from "../jwt/algorithms.ts";
import { createClaimsPolicy, type ClaimsPolicy } from "../jwt/claims.ts";
import type { RevocationFeed } from "../stores/store.ts";
import type { AuthoritySource } from "./authority/authority.ts";
import { discovered } from "./keys/discovery.ts";
import type { KeySource } from "./keys/key-source.ts";
import type { GuardOptions, TrustedIssuer } from "./types.ts";

/** What is said of one issuer, checked, copied and complete. */
export interface IssuerSettings {
  readonly claimsPolicy: ClaimsPolicy;
  readonly keys: KeySource;
  readonly authority: AuthoritySource | undefined;
  readonly revocationFeed: RevocationFeed | undefined;
  readonly algorithms: readonly Algorithm[] | undefined;
}

/** Every option there is; the compiler keeps it complete. */
export const issuerOptionNames: readonly string[] = Object.keys({
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
export function readIssuerSettings(options: GuardOptions): readonly IssuerSettings[] {
  const { issuers } = options;
  if (issuers === undefined) return [readIssuer("createGuard", options)];
  const doubled = issuerOptionNames.find((name) => options[name as keyof TrustedIssuer] !== undefined);
  if (doubled !== undefined) {
    throw new HoldfastError("invalid_option", `createGuard takes ${doubled} or issuers, not both`);
  }
  if (!Array.isArray(issuers) || issuers.length === 0) {
    throw invalidOption("issuers", "a list of at least one issuer", issuers);
  }
  const settings = issuers.map((one, index) => {
    rejectUnknownOptions(`issuers[${index}]`, one, issuerOptionNames);
    return readIssuer(`issuers[${index}]`, one);
  });
  if (new Set(settings.map(({ claimsPolicy }) => claimsPolicy.issuer)).size < settings.length) {
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

function readIssuer(owner: string, options: TrustedIssuer): IssuerSettings {
  const { issuer, audience, types, requireTyp, requiredClaims, allowMissingExp } = options;
  const { keys = discovered(), authority, revocations, algorithms } = options;
  requireMethods(owner, "keys", keys, ["open"]);
  if (authority !== undefined) requireMethods(owner, "authority", authority, ["open"]);
  if (revocations !== undefined) {
    requireMethods(owner, "revocations", revocations, ["snapshot", "after", "subscribe"]);
    const name = `${owner}: revocations.snapshotTimeoutMs`;
    readWholeNumber(name, revocations.snapshotTimeoutMs, { default: 1, min: 1 });
  }
  return {
    claimsPolicy: createClaimsPolicy({
      issuer,
      audience,
      types,
      requireTyp,
      requiredClaims,
      allowMissingExp,
    }),
    keys,
    authority,
    revocationFeed: revocations,
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
