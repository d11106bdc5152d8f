import { isClaimPath } from "../core/claim-path.ts";
import { HoldfastError } from "../core/errors.ts";
import { invalidValue } from "../core/option-values.ts";
import {
  invalidOption,
  option,
  readOptions,
  readWholeNumber,
  requireMethods,
  type OptionTable,
} from "../core/options.ts";
import { canonicalAlgorithm, isAlgorithm, type Algorithm } from "../jwt/algorithms.ts";
import {
  claimsPolicyOptionTable,
  toClaimsPolicy,
  type ClaimsPolicy,
  type ClaimsPolicySettings,
} from "../jwt/claims.ts";
import type { RevocationFeed } from "../stores/store.ts";
import type { AuthoritySource } from "./authority/authority.ts";
import { discovered } from "./keys/discovery.ts";
import type { KeySource } from "./keys/key-source.ts";
import type { TrustedIssuer } from "./types.ts";

const ALGORITHMS_THAT_FIT = "a list of signature algorithms that fit the keys";

/** The options of one issuer, checked, copied and complete. */
export interface IssuerSettings {
  readonly claimsPolicy: ClaimsPolicy;
  readonly keys: KeySource;
  readonly authority: AuthoritySource | undefined;
  readonly revocationFeed: RevocationFeed | undefined;
  readonly algorithms: readonly Algorithm[] | undefined;
  readonly scopesFrom: readonly string[];
}

/** The values of the options, named like the options. */
interface TrustedIssuerValues extends ClaimsPolicySettings {
  readonly keys: KeySource;
  readonly authority: AuthoritySource | undefined;
  readonly revocations: RevocationFeed | undefined;
  readonly algorithms: readonly Algorithm[] | undefined;
  readonly scopesFrom: readonly string[];
}

/** The options of one trusted issuer. They stand in `createGuard` or in each member of its `issuers`. */
export const trustedIssuerOptionTable: OptionTable<TrustedIssuerValues> = {
  ...claimsPolicyOptionTable,
  keys: option((name, value) =>
    value === undefined ? discovered() : readPart<KeySource>(name, value, ["open"]),
  ),
  authority: option((name, value) =>
    value === undefined ? undefined : readPart<AuthoritySource>(name, value, ["open"]),
  ),
  revocations: option(readRevocations),
  algorithms: option(readAlgorithms),
  scopesFrom: option(readScopesFrom, ["scope", "scp"]),
} satisfies Record<keyof TrustedIssuer, unknown>;

/** Throws `invalid_option` or `missing_method`, naming `owner` and the option. */
export function readIssuer(owner: string, options: unknown): IssuerSettings {
  const { keys, authority, revocations, algorithms, scopesFrom, ...claims } = readOptions(
    owner,
    options,
    trustedIssuerOptionTable,
  );
  // A public key must never serve as an HMAC secret (RFC 8725 §3.1).
  if (keys.kind !== "secret" && algorithms?.some((name) => name.startsWith("HS"))) {
    throw invalidValue(`${owner}: algorithms`, ALGORITHMS_THAT_FIT, algorithms);
  }
  const claimsPolicy = toClaimsPolicy(claims);
  return { claimsPolicy, keys, authority, revocationFeed: revocations, algorithms, scopesFrom };
}

/** Reads the option `issuers`. Throws as {@link readIssuer} does. */
export function readIssuers(name: string, value: unknown): readonly IssuerSettings[] {
  if (!Array.isArray(value) || value.length === 0) {
    throw invalidOption(name, "a list of at least one issuer", value);
  }
  const issuers = value.map((options: unknown, index) => readIssuer(`${name}[${index}]`, options));
  if (new Set(issuers.map(({ claimsPolicy }) => claimsPolicy.issuer)).size < issuers.length) {
    throw new HoldfastError("invalid_option", `${name} must name each issuer once`);
  }
  if (issuers.length > 1 && issuers.some(({ claimsPolicy }) => claimsPolicy.allowMissingIss)) {
    const why = "a token without `iss` does not show which of several issuers it belongs to";
    throw new HoldfastError("invalid_option", `${name}: allowMissingIss needs a single issuer: ${why}`);
  }
  if (issuers.filter(({ authority }) => authority?.opaque != null).length > 1) {
    const why = "an opaque token does not show which issuer it belongs to";
    const message = `${name} must have at most one authority for opaque tokens: ${why}`;
    throw new HoldfastError("invalid_option", message);
  }
  return issuers;
}

/** Checks that `part` has the methods. `name` is `owner: option`, as {@link readOptions} makes it. */
export function readPart<T>(name: string, part: unknown, methods: readonly (keyof T & string)[]): T {
  const end = name.lastIndexOf(": ");
  requireMethods(name.slice(0, end), name.slice(end + 2), part, methods);
  return part as T;
}

function readRevocations(name: string, value: unknown): RevocationFeed | undefined {
  if (value === undefined) return undefined;
  const feed = readPart<RevocationFeed>(name, value, ["snapshot", "after", "subscribe"]);
  readWholeNumber(`${name}.snapshotTimeoutMs`, feed.snapshotTimeoutMs, { default: 1, min: 1 });
  return feed;
}

function readScopesFrom(name: string, value: unknown): readonly string[] {
  const paths: unknown[] = Array.isArray(value) ? value : [value];
  if (paths.length === 0 || !paths.every(isClaimPath)) {
    throw invalidValue(name, "the name or path of a claim, or a list of at least one", value);
  }
  return paths;
}

function readAlgorithms(name: string, value: unknown): readonly Algorithm[] | undefined {
  if (value === undefined) return undefined;
  const algorithms = Array.isArray(value) ? value.map(canonicalAlgorithm) : [];
  if (algorithms.length === 0 || !algorithms.every(isAlgorithm)) {
    throw invalidValue(name, ALGORITHMS_THAT_FIT, value);
  }
  return [...new Set(algorithms)];
}
