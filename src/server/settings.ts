import { BlockList } from "node:net";
import { resolve } from "node:path";
import { HoldfastError } from "../core/errors.ts";
import type { DegradedMode } from "../core/rules.ts";
import type { AuthorityOptions } from "../guard/authority/settings.ts";
import type { Audiences } from "../issuer/audiences.ts";
import type { Client } from "../issuer/types.ts";
import type { CookieOptions, IssuerOptions } from "../issuer/types.ts";
import { canKeepCookies } from "../issuer/cookie-options.ts";
import { findRedisConflicts, toRedisSettings, type RedisSettings } from "./redis-settings.ts";
import type { ClientCredentials } from "./client-settings.ts";
import { formatDuration } from "./duration.ts";
import { findPlainHttp } from "./provider-settings.ts";
import { findServiceLinks } from "./service-links.ts";
import { findUnknownSettings } from "./unknown-settings.ts";
import { settingDefinitions, type LogLevel, type Role, type SettingValues } from "./setting-definitions.ts";

/** A provider whose tokens the gateway accepts, as it does those of the service. */
export interface ProviderSettings {
  readonly issuer: string;
  /** The hosts to which plain HTTP is allowed. */
  readonly allowHttp: readonly string[];
  /** `undefined` when the key set is discovered from the issuer. */
  readonly jwksUrl: string | undefined;
  /** The introspection endpoint. `undefined` when the provider's signature is enough. */
  readonly authority: ProviderAuthority | undefined;
}

interface ProviderAuthority extends Required<Pick<AuthorityOptions, "opaque" | "ask">> {
  readonly url: string;
  readonly client: ClientCredentials;
}

/** Lifetimes of tokens, sessions and keys, in milliseconds, the algorithm of new keys, and the bound of sessions. */
type Lifetimes = Required<
  Pick<
    IssuerOptions,
    | "accessTokenTtlMs"
    | "refreshIdleMs"
    | "refreshAbsoluteMs"
    | "lostAnswerMs"
    | "conflictMs"
    | "algorithm"
    | "keyRotationMs"
    | "maxSessions"
  >
>;

/** The checked settings of a service. A value that depends on the bound port is `undefined` here. */
export interface Settings {
  readonly host: string;
  readonly port: number;
  readonly adminHost: string;
  readonly adminPort: number;
  /** `undefined` when the setting is missing. The service then generates a token if it needs one. */
  readonly adminToken: string | undefined;
  /** An absolute path. */
  readonly dataDir: string;
  readonly url: string | undefined;
  readonly audience: string | Audiences | undefined;
  /** The lifetimes and keys of the issuer. */
  readonly lifetimes: Lifetimes;
  readonly roles: ReadonlySet<Role>;
  /** `undefined` when the service uses the embedded store. */
  readonly redis: RedisSettings | undefined;
  readonly secret: string | undefined;
  readonly clients: readonly Client[];
  /** Lifetimes of a session whose login asks for a short one. */
  readonly shortSession: NonNullable<IssuerOptions["shortSession"]>;
  readonly loginNames: SettingValues["HOLDFAST_LOGIN_NAMES"];
  readonly corsOrigins: readonly string[];
  /** `undefined` when sessions in cookies are off. */
  readonly cookies: CookieOptions | undefined;
  readonly trustedProxies: BlockList;
  /** The most connections of one address that is not a trusted proxy. */
  readonly connectionsPerPeer: number;
  /** The absolute path of the gateway's policy. */
  readonly policyFile: string | undefined;
  /** The absolute path of the file with further issuers and options of the guard. */
  readonly guardFile: string | undefined;
  readonly provider: ProviderSettings | undefined;
  /** The degraded mode of the guard. `undefined` when the setting is missing. */
  readonly degraded: DegradedMode | undefined;
  readonly bootstrapUser: { readonly username: string; readonly password: string } | undefined;
  readonly logLevel: LogLevel;
  readonly traces: SettingValues["HOLDFAST_TRACES"];
  readonly requestLog: SettingValues["HOLDFAST_REQUEST_LOG"];
  /** The texts of the settings that are given, by name. Some are secrets. */
  readonly texts: Readonly<Record<string, string | undefined>>;
}

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Reads the settings from environment variables. Throws one `invalid_option` for all problems. The message names each
 * setting and never shows a value.
 */
export function readSettings(environment: Environment): Settings {
  const links = findServiceLinks(environment);
  const env = Object.fromEntries(Object.entries(environment).filter(([name]) => !links.includes(name)));
  const refused: string[] = [];
  const values: Partial<Record<string, unknown>> = {};
  for (const [name, { form, parse, explain, default: fallback }] of Object.entries(settingDefinitions)) {
    const text = env[name] ?? fallback;
    if (text === undefined) continue;
    const value = text === "" ? undefined : parse(text);
    if (value !== undefined) {
      values[name] = value;
      continue;
    }
    const why = explain?.(text);
    refused.push(`${name} must be ${form}${why === undefined ? "" : `; ${why}`}`);
  }
  // A refused setting would look like a missing one, and be reported twice.
  const conflicts = refused.length > 0 ? [] : findConflicts(values);
  const problems = [...findUnknownSettings(env), ...refused, ...conflicts];
  if (problems.length > 0) throw new HoldfastError("invalid_option", problems.join("\n"));
  const texts = Object.fromEntries(Object.entries(env).filter(([name]) => name in settingDefinitions));
  return { ...toSettings(values as unknown as SettingValues), texts };
}

/** Settings that have no effect, or no meaning, without another setting. */
const companions: readonly (readonly [
  given: keyof SettingValues,
  needed: keyof SettingValues,
  /** Follows the name of the needed setting. */
  example?: string,
])[] = [
  ["HOLDFAST_POLICY", "HOLDFAST_TRUSTED_PROXIES", ", such as 127.0.0.1 for a proxy on this machine"],
  ["HOLDFAST_COOKIES_SAME_SITE", "HOLDFAST_COOKIES"],
  ["HOLDFAST_PROVIDER_JWKS_URL", "HOLDFAST_PROVIDER_ISSUER"],
  ["HOLDFAST_ALLOW_HTTP", "HOLDFAST_PROVIDER_ISSUER"],
  ["HOLDFAST_AUTHORITY_URL", "HOLDFAST_PROVIDER_ISSUER"],
  ["HOLDFAST_AUTHORITY_URL", "HOLDFAST_AUTHORITY_CLIENT"],
  ["HOLDFAST_AUTHORITY_CLIENT", "HOLDFAST_AUTHORITY_URL"],
  ["HOLDFAST_AUTHORITY_OPAQUE", "HOLDFAST_AUTHORITY_URL"],
  ["HOLDFAST_AUTHORITY_ASK", "HOLDFAST_AUTHORITY_URL"],
];

/** Settings that only one role uses. */
const roleSettings: readonly (readonly [given: keyof SettingValues, needed: Role])[] = [
  ["HOLDFAST_POLICY", "gateway"],
  ["HOLDFAST_BOOTSTRAP_USER", "issuer"],
];

/** Settings with one value for each client. */
const clientSettings = [
  "HOLDFAST_CLIENT_SCOPES",
  "HOLDFAST_CLIENT_ACCESS_TOKEN_TTL",
  "HOLDFAST_CLIENT_REFRESH_TOKENS",
] as const;

/** Finds settings that contradict each other. */
function findConflicts(values: Partial<SettingValues>): string[] {
  const { HOLDFAST_PORT: port, HOLDFAST_ADMIN_PORT: adminPort, HOLDFAST_ROLES: roles } = values;
  const { HOLDFAST_CLIENTS: clients = [] } = values;
  const isGiven = (name: keyof SettingValues) => values[name] !== undefined;
  const problems: string[] = [];
  if (port !== undefined && port !== 0 && port === adminPort) {
    problems.push("HOLDFAST_ADMIN_PORT must be another port than HOLDFAST_PORT");
  }
  problems.push(
    ...findRedisConflicts(values),
    ...findLifetimeConflicts(values),
    ...findPlainHttp(values),
    ...findOpaqueConflicts(values),
  );
  if (isGiven("HOLDFAST_COOKIES") && !canKeepCookies(values.HOLDFAST_URL ?? "http://localhost")) {
    problems.push("HOLDFAST_COOKIES needs HOLDFAST_URL to be an https URL, or one of localhost");
  }
  problems.push(...findMissingCompanions(values));
  for (const [given, needed] of roleSettings) {
    if (isGiven(given) && roles?.has(needed) === false) {
      problems.push(`${given} needs HOLDFAST_ROLES to name ${needed}`);
    }
  }
  for (const setting of clientSettings) {
    for (const id of values[setting]?.keys() ?? []) {
      if (clients.some((client) => client.id === id)) continue;
      problems.push(`${setting} names ${id}, which HOLDFAST_CLIENTS does not`);
    }
  }
  return problems;
}

function findMissingCompanions(values: Partial<SettingValues>): string[] {
  return companions
    .filter(([given, needed]) => values[given] !== undefined && values[needed] === undefined)
    .map(([given, needed, example = ""]) => `${given} needs ${needed}${example}`);
}

/** A lifetime that must be at least as long as another one. */
const lifetimeOrder: readonly (readonly [longer: LifetimeSetting, shorter: LifetimeSetting])[] = [
  ["HOLDFAST_REFRESH_IDLE", "HOLDFAST_ACCESS_TOKEN_TTL"],
  ["HOLDFAST_REFRESH_ABSOLUTE", "HOLDFAST_REFRESH_IDLE"],
  ["HOLDFAST_KEY_ROTATION", "HOLDFAST_ACCESS_TOKEN_TTL"],
];

type LifetimeSetting =
  | "HOLDFAST_ACCESS_TOKEN_TTL"
  | `HOLDFAST_${"REFRESH_IDLE" | "REFRESH_ABSOLUTE" | "KEY_ROTATION"}`;

function findOpaqueConflicts({
  HOLDFAST_AUTHORITY_ASK: ask,
  HOLDFAST_AUTHORITY_OPAQUE: opaque,
}: Partial<SettingValues>): string[] {
  const asksNothing = ask === "opaque" && opaque === false;
  return asksNothing ? ["HOLDFAST_AUTHORITY_ASK must be all when HOLDFAST_AUTHORITY_OPAQUE is off"] : [];
}

function findLifetimeConflicts(values: Partial<SettingValues>): string[] {
  const problems = lifetimeOrder.flatMap(([longer, shorter]) => {
    const [longerMs = 0, shorterMs = 0] = [values[longer], values[shorter]];
    if (longerMs >= shorterMs) return [];
    return [`${longer} must be at least ${formatDuration(shorterMs)}, which is ${shorter}`];
  });
  const { HOLDFAST_CLIENT_ACCESS_TOKEN_TTL: ofClients = [], HOLDFAST_KEY_ROTATION: rotationMs = 0 } = values;
  for (const [id, ms] of ofClients) {
    if (ms <= rotationMs) continue;
    problems.push(`HOLDFAST_KEY_ROTATION must be at least ${formatDuration(ms)}, the access tokens of ${id}`);
  }
  return problems;
}

function toSettings(values: SettingValues): Omit<Settings, "texts"> {
  return {
    host: values.HOLDFAST_HOST,
    port: values.HOLDFAST_PORT,
    adminHost: values.HOLDFAST_ADMIN_HOST,
    adminPort: values.HOLDFAST_ADMIN_PORT,
    adminToken: values.HOLDFAST_ADMIN_TOKEN,
    dataDir: resolve(values.HOLDFAST_DATA_DIR),
    url: values.HOLDFAST_URL,
    audience: values.HOLDFAST_AUDIENCE,
    lifetimes: {
      accessTokenTtlMs: values.HOLDFAST_ACCESS_TOKEN_TTL,
      refreshIdleMs: values.HOLDFAST_REFRESH_IDLE,
      refreshAbsoluteMs: values.HOLDFAST_REFRESH_ABSOLUTE,
      lostAnswerMs: values.HOLDFAST_LOST_ANSWER,
      conflictMs: values.HOLDFAST_CONFLICT,
      algorithm: values.HOLDFAST_ALGORITHM,
      keyRotationMs: values.HOLDFAST_KEY_ROTATION,
      maxSessions: values.HOLDFAST_MAX_SESSIONS,
    },
    roles: values.HOLDFAST_ROLES,
    redis: values.HOLDFAST_STORE === "redis" ? toRedisSettings(values) : undefined,
    secret: values.HOLDFAST_SECRET,
    clients: toClients(values),
    shortSession: values.HOLDFAST_SHORT_SESSION,
    loginNames: values.HOLDFAST_LOGIN_NAMES,
    corsOrigins: values.HOLDFAST_CORS_ORIGINS ?? [],
    cookies: toCookieOptions(values),
    trustedProxies: values.HOLDFAST_TRUSTED_PROXIES ?? new BlockList(),
    connectionsPerPeer: values.HOLDFAST_CONNECTIONS_PER_PEER,
    policyFile: values.HOLDFAST_POLICY === undefined ? undefined : resolve(values.HOLDFAST_POLICY),
    guardFile: values.HOLDFAST_GUARD === undefined ? undefined : resolve(values.HOLDFAST_GUARD),
    provider: toProviderSettings(values),
    degraded: values.ALLOW_DEGRADED_AUTH,
    bootstrapUser: values.HOLDFAST_BOOTSTRAP_USER,
    logLevel: values.HOLDFAST_LOG_LEVEL,
    traces: values.HOLDFAST_TRACES,
    requestLog: values.HOLDFAST_REQUEST_LOG,
  };
}

function toCookieOptions(values: SettingValues): CookieOptions | undefined {
  const { HOLDFAST_COOKIES: origins, HOLDFAST_COOKIES_SAME_SITE: sameSite } = values;
  return origins && { origins, ...(sameSite !== undefined && { sameSite }) };
}

function toProviderSettings(values: SettingValues): ProviderSettings | undefined {
  const { HOLDFAST_PROVIDER_ISSUER: issuer, HOLDFAST_PROVIDER_JWKS_URL: jwksUrl } = values;
  const { HOLDFAST_AUTHORITY_URL: url, HOLDFAST_AUTHORITY_CLIENT: client } = values;
  const { HOLDFAST_ALLOW_HTTP: allowHttp = [] } = values;
  if (issuer === undefined) return undefined;
  if (url === undefined || client === undefined) return { issuer, allowHttp, jwksUrl, authority: undefined };
  const { HOLDFAST_AUTHORITY_OPAQUE: opaque = true, HOLDFAST_AUTHORITY_ASK: ask = "all" } = values;
  return { issuer, allowHttp, jwksUrl, authority: { url, client, opaque, ask } };
}

function toClients(values: SettingValues): Settings["clients"] {
  const { HOLDFAST_CLIENT_SCOPES: scopes, HOLDFAST_CLIENT_ACCESS_TOKEN_TTL: ttl } = values;
  return (values.HOLDFAST_CLIENTS ?? []).map((client) => {
    const accessTokenTtlMs = ttl?.get(client.id);
    const refreshTokens = values.HOLDFAST_CLIENT_REFRESH_TOKENS?.get(client.id);
    return {
      ...client,
      scopes: scopes?.get(client.id) ?? [],
      ...(accessTokenTtlMs !== undefined && { accessTokenTtlMs }),
      ...(refreshTokens !== undefined && { refreshTokens }),
    };
  });
}
