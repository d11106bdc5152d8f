import { copyOptions, optionError } from "../core/option-checks.ts";
import { readChoice } from "../core/option-values.ts";
import { systemClock, type Clock } from "../core/clock.ts";
import type { Entropy } from "../core/entropy.ts";
import { entropyOption, randomOption } from "../core/entropy-options.ts";
import {
  functionOption,
  invalidOption,
  option,
  readOptions,
  readString,
  readWholeNumber,
  rejectUnknownOptions,
  requireMethods,
  wholeOption,
  type OptionReader,
  type OptionTable,
} from "../core/options.ts";
import { isExactOrigin } from "../core/origin.ts";
import { TRACING_METHODS, type Tracing } from "../core/tracing.ts";
import { readCookieOptions, requireUrlForCookies, type CookieModeConfig } from "./cookie-options.ts";
import type { Store } from "../stores/store.ts";
import { readAudiences, type Audiences } from "./audiences.ts";
import type { OnEvent } from "./hooks/session-event.ts";
import { lifetimeBounds, readClient, type ClientConfig } from "./client-config.ts";
import { deriveSecrets, type Secrets } from "./secret-keys.ts";
import type { AccountOf, Authenticate, IssuerOptions, Renew } from "./types.ts";

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;
const { min: MIN_LIFETIME_MS, max: MAX_DURATION_MS } = lifetimeBounds;
/** The largest `maxSessions`. */
export const MAX_SESSIONS_PER_USER = 10_000;

type LoginNames = NonNullable<IssuerOptions["loginNames"]>;
type Algorithm = NonNullable<IssuerOptions["algorithm"]>;
/** The algorithms of signing keys. */
export const signingAlgorithms: readonly Algorithm[] = ["ES256", "ES384", "EdDSA", "RS256", "PS256"];

/** The options after they were checked and copied. */
export interface IssuerConfig {
  readonly name: string;
  readonly url: string;
  readonly audience: Audiences;
  readonly algorithm: Algorithm;
  readonly authenticate: Authenticate | undefined;
  readonly maxAuthenticateCalls: number;
  readonly account: AccountOf | undefined;
  readonly renew: Renew | undefined;
  readonly onEvent: OnEvent | undefined;
  readonly tracing: Tracing | undefined;
  readonly loginNames: LoginNames;
  readonly clients: readonly ClientConfig[];
  readonly shortSession: { readonly idleMs: number; readonly absoluteMs: number };
  readonly corsOrigins: readonly string[];
  /** `null` when sessions in cookies are off. */
  readonly cookies: CookieModeConfig | null;
  readonly accessTokenTtlMs: number;
  readonly refreshIdleMs: number;
  readonly refreshAbsoluteMs: number;
  readonly lostAnswerMs: number;
  readonly conflictMs: number;
  readonly keyRotationMs: number;
  readonly maxSessions: number;
}

/** Parts that the application injects, and the keys that are derived from `secret`. */
interface Dependencies {
  /** `openCheckedStore` checks its methods. */
  readonly store: Store;
  readonly secret: Secrets;
  readonly clock: Clock;
  readonly random: () => number;
  readonly entropy: Entropy;
}

export const issuerOptionTable: OptionTable<IssuerConfig & Dependencies> = {
  name: option(readString, "issuer"),
  url: option(readIssuerUrl),
  audience: option(readAudiences),
  algorithm: option(readAlgorithm, "ES256"),
  authenticate: functionOption<Authenticate | undefined>(() => undefined),
  maxAuthenticateCalls: wholeOption(64, 1, 10_000),
  account: functionOption<AccountOf | undefined>(() => undefined),
  renew: functionOption<Renew | undefined>(() => undefined),
  onEvent: functionOption<OnEvent | undefined>(() => undefined),
  tracing: option(readTracing),
  loginNames: option(readLoginNames, "case-insensitive"),
  clients: arrayOption(readClient),
  shortSession: option(readShortSession, { idleMs: 60 * MINUTE_MS, absoluteMs: 12 * 60 * MINUTE_MS }),
  corsOrigins: arrayOption(readCorsOrigin),
  cookies: { read: readCookieOptions, default: undefined },
  accessTokenTtlMs: wholeOption(10 * MINUTE_MS, MIN_LIFETIME_MS, MAX_DURATION_MS),
  refreshIdleMs: wholeOption(30 * DAY_MS, MIN_LIFETIME_MS, MAX_DURATION_MS),
  refreshAbsoluteMs: wholeOption(90 * DAY_MS, MIN_LIFETIME_MS, MAX_DURATION_MS),
  lostAnswerMs: wholeOption(DAY_MS, 0, MAX_DURATION_MS),
  conflictMs: wholeOption(30_000, 0, MAX_DURATION_MS),
  keyRotationMs: wholeOption(30 * DAY_MS, MIN_LIFETIME_MS, MAX_DURATION_MS),
  maxSessions: wholeOption(100, 1, MAX_SESSIONS_PER_USER),
  clock: option(readClock),
  random: randomOption,
  entropy: entropyOption("createIssuer"),
  secret: option((name, value) => deriveSecrets(value, name)),
  store: option((_, value) => value as Store),
};

/** Throws `invalid_option` or `missing_method`, naming the option. */
export function readIssuerOptions(options: IssuerOptions): { config: IssuerConfig } & Dependencies {
  const given = copyOptions("createIssuer", options);
  const { store, secret, clock, random, entropy, ...config } = readOptions(
    "createIssuer",
    given,
    issuerOptionTable,
  );
  const requireAtLeast = (name: "refreshIdleMs" | "refreshAbsoluteMs" | "keyRotationMs", min: number) =>
    readWholeNumber(`createIssuer: ${name}`, config[name], {
      default: config[name],
      min,
      max: MAX_DURATION_MS,
    });
  requireUrlForCookies(config);
  if (config.account !== undefined && config.authenticate === undefined) {
    throw invalidOption("createIssuer: account", "left out without authenticate", config.account);
  }
  if (given.maxAuthenticateCalls !== undefined && config.authenticate === undefined) {
    const { maxAuthenticateCalls } = config;
    throw invalidOption(
      "createIssuer: maxAuthenticateCalls",
      "left out without authenticate",
      maxAuthenticateCalls,
    );
  }
  requireAtLeast("refreshIdleMs", config.accessTokenTtlMs);
  requireAtLeast("refreshAbsoluteMs", config.refreshIdleMs);
  requireAtLeast("keyRotationMs", longestAccessTokenTtlMs(config));
  return { config, store, secret, clock, random, entropy };
}

/** The longest life of an access token of any client. */
export function longestAccessTokenTtlMs({
  accessTokenTtlMs,
  clients,
}: Pick<IssuerConfig, "accessTokenTtlMs" | "clients">): number {
  return Math.max(accessTokenTtlMs, ...clients.map((client) => client.accessTokenTtlMs ?? 0));
}

/** The longest life of a session of any client. `authenticate` can only shorten it. */
export function longestSessionMs({
  refreshAbsoluteMs,
  shortSession,
  clients,
}: Pick<IssuerConfig, "refreshAbsoluteMs" | "shortSession" | "clients">): number {
  const ofClients = clients.map((client) => client.refreshTokens?.absoluteMs ?? 0);
  return Math.max(refreshAbsoluteMs, shortSession.absoluteMs, ...ofClients);
}

function readShortSession(name: string, value: unknown): IssuerConfig["shortSession"] {
  rejectUnknownOptions(name, value, ["idleMs", "absoluteMs"]);
  const { idleMs = null, absoluteMs = null } = value as Readonly<Record<string, unknown>>;
  const bounds = { ...lifetimeBounds, default: lifetimeBounds.min };
  const idle = readWholeNumber(`${name}.idleMs`, idleMs, bounds);
  const absolute = readWholeNumber(`${name}.absoluteMs`, absoluteMs, { ...bounds, min: idle });
  return { idleMs: idle, absoluteMs: absolute };
}

/** An array whose items `readItem` checks. The default is an empty array. */
function arrayOption<T>(readItem: (name: string, value: unknown) => T): OptionReader<readonly T[]> {
  const read = (name: string, value: unknown = []) => {
    if (!Array.isArray(value)) throw invalidOption(name, "an array", value);
    return value.map((item: unknown, index) => readItem(`${name}[${index}]`, item));
  };
  return { read, default: [] };
}

function readAlgorithm(name: string, value: unknown): Algorithm {
  return readChoice(name, signingAlgorithms, value);
}

function readLoginNames(name: string, value: unknown): LoginNames {
  return readChoice(name, ["case-insensitive", "exact"], value);
}

function readTracing(_: string, value: unknown): Tracing | undefined {
  if (value !== undefined) requireMethods("createIssuer", "tracing", value, TRACING_METHODS);
  return value as Tracing | undefined;
}

function readClock(_: string, value: unknown = systemClock): Clock {
  requireMethods("issuer", "clock", value, ["now", "monotonic", "after"]);
  return value as Clock;
}

/** RFC 8414 §2: the issuer identifier has no query and no fragment. */
function readIssuerUrl(name: string, value: unknown): string {
  const url = readString(name, value);
  const parsed = URL.parse(url);
  if (parsed === null || !/^https?:$/.test(parsed.protocol) || /[?#]/.test(url) || parsed.username !== "") {
    throw invalidOption(name, "an http(s) URL without credentials, query or fragment", value);
  }
  return url;
}

function readCorsOrigin(name: string, value: unknown): string {
  if (isExactOrigin(value)) return value;
  const mustBe = "an exact origin such as https://app.example.com, without wildcard or path";
  if (typeof value === "string" && isExactOrigin(value.replace(/\/$/, "")))
    throw optionError(name, mustBe, "a string with a slash at its end");
  throw invalidOption(name, mustBe, value);
}
