import { isClaimPath } from "../core/claim-path.ts";
import { HoldfastError } from "../core/errors.ts";
import { invalidValue } from "../core/option-values.ts";
import { copyOptions } from "../core/option-checks.ts";
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
import { isIssuerPattern, type IssuerPattern } from "./issuers/tenants.ts";
import { discovered } from "./keys/discovery.ts";
import { isSeveral, severalKeys } from "./keys/several-keys.ts";
import { independentKeys, shareKeys } from "./keys/shared-keys.ts";
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
  keys: option(readKeys),
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
  if (!hasSecret(keys) && algorithms?.some((name) => name.startsWith("HS"))) {
    throw invalidValue(`${owner}: algorithms`, ALGORITHMS_THAT_FIT, algorithms);
  }
  const claimsPolicy = toClaimsPolicy(claims);
  return { claimsPolicy, keys, authority, revocationFeed: revocations, algorithms, scopesFrom };
}

/** A pattern whose issuers are not listed, and the settings that each of them gets under its own name. */
export interface IssuerFamily {
  readonly pattern: IssuerPattern;
  readonly settings: IssuerSettings;
  /** The settings of the key sets that all issuers share. `null` when each issuer has its own. */
  readonly sharedKeys: IssuerSettings | null;
}

/** The issuers that the options name, and the patterns for those that they do not name. */
export interface ReadIssuers {
  readonly issuers: readonly IssuerSettings[];
  readonly families: readonly IssuerFamily[];
}

/** Reads one trusted issuer, or the tenants of one. Throws as {@link readIssuer} does. */
export function readIssuerOrTenants(owner: string, options: unknown): ReadIssuers {
  const { issuer: pattern, ...others } = copyOptions(owner, options as object) as { issuer?: unknown };
  if (!isIssuerPattern(pattern)) return { issuers: [readIssuer(owner, options)], families: [] };
  const read = readIssuer(owner, { ...others, issuer: pattern.issuers?.[0] ?? "tenants" });
  const keys = shareKeys(read.keys, pattern.pattern);
  const settings = { ...read, keys };
  if (read.claimsPolicy.allowMissingIss)
    throw invalidOption(`${owner}: allowMissingIss`, "false for tenants", true);
  if (pattern.issuers !== null) {
    return { issuers: pattern.issuers.map((name) => nameIssuer(settings, name)), families: [] };
  }
  const part = settings.authority ?? settings.revocationFeed;
  if (part !== undefined) {
    const name = settings.authority === undefined ? "revocations" : "authority";
    throw invalidOption(`${owner}: ${name}`, 'absent for tenants with "any"; issuerFor can return it', part);
  }
  const independent = independentKeys(keys);
  const sharedKeys = independent && nameIssuer({ ...settings, keys: independent }, pattern.pattern);
  return { issuers: [], families: [{ pattern, settings, sharedKeys }] };
}

/** The same settings for the issuer `name`. */
export function nameIssuer(settings: IssuerSettings, name: string): IssuerSettings {
  return { ...settings, claimsPolicy: { ...settings.claimsPolicy, issuer: name } };
}

/** Whether both have the same rules, keys and parts. A part without an `identity` differs from every other part. */
export function isSameIssuer(a: IssuerSettings, b: IssuerSettings): boolean {
  const plain = ({ claimsPolicy, algorithms, scopesFrom }: IssuerSettings) =>
    JSON.stringify([claimsPolicy, algorithms, scopesFrom]);
  return (
    plain(a) === plain(b) &&
    (a.keys === b.keys || isSameIdentity(a.keys.identity, b.keys.identity)) &&
    (a.authority === b.authority || isSameIdentity(optionsOf(a.authority), optionsOf(b.authority))) &&
    a.revocationFeed === b.revocationFeed
  );
}

/** The identity of an authority leaves out its secret, for example, so that instances share answers while it changes. */
function optionsOf(authority: AuthoritySource | undefined): string | undefined {
  return authority?.optionsDigest ?? authority?.identity;
}

function isSameIdentity(a: unknown, b: unknown): boolean {
  if (!Array.isArray(a) || !Array.isArray(b)) return a !== undefined && a === b;
  return a.length === b.length && a.every((part, index) => part === b[index]);
}

/** Reads the option `issuers`. Throws as {@link readIssuer} does. */
export function readIssuers(name: string, value: unknown): ReadIssuers {
  if (!Array.isArray(value) || value.length === 0) {
    throw invalidOption(name, "a list of at least one issuer", value);
  }
  const read = value.map((options: unknown, index) => readIssuerOrTenants(`${name}[${index}]`, options));
  const issuers = read.flatMap((one) => one.issuers);
  const families = read.flatMap((one) => one.families);
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
  return { issuers, families };
}

/** Checks that `part` has the methods. `name` is `owner: option`, as {@link readOptions} makes it. */
export function readPart<T>(name: string, part: unknown, methods: readonly (keyof T & string)[]): T {
  const end = name.lastIndexOf(": ");
  requireMethods(name.slice(0, end), name.slice(end + 2), part, methods);
  return part as T;
}

function readKeys(name: string, value: unknown): KeySource {
  if (value === undefined) return discovered();
  if (!Array.isArray(value)) return readPart<KeySource>(name, value, ["open"]);
  const sources = value.map((one: unknown, index) => readPart<KeySource>(`${name}[${index}]`, one, ["open"]));
  const [only] = sources;
  return only !== undefined && sources.length === 1 ? only : severalKeys(name, sources);
}

function hasSecret(keys: KeySource): boolean {
  return keys.kind === "secret" || (isSeveral(keys) && keys.sources.some(hasSecret));
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
