import type { BlockList } from "node:net";
import { degradedModes, type DegradedMode } from "../core/rules.ts";
import type { Audiences } from "../issuer/audiences.ts";
import { lifetimeBounds } from "../issuer/client-config.ts";
import { questionScopes, type QuestionScope } from "../guard/authority/settings.ts";
import { MAX_SESSIONS_PER_USER, signingAlgorithms } from "../issuer/config.ts";
import type { IssuerOptions } from "../issuer/types.ts";
import {
  parseClient,
  parseClients,
  parseMap,
  parseScopes,
  parseSessionLifetime,
  parseUser,
  type ClientCredentials,
  type SessionLifetime,
} from "./client-settings.ts";
import { MAX_OPAQUE_LENGTH, parseOpaque } from "./opaque-setting.ts";
import { durationForm, parseDuration } from "./duration.ts";
import {
  parseAudience,
  parseList,
  parseOneOf,
  parseText,
  parseTrustedProxies,
  parseWholeNumber,
} from "./setting-parsers.ts";
import {
  explainOrigins,
  parseAllowHttp,
  parseHost,
  parseHttpUrl,
  parseOrigin,
  parseProviderUrl,
} from "./url-setting-parsers.ts";
import { redisSettingDefinitions, type RedisSettingValues } from "./redis-setting-definitions.ts";
import type { SettingDefinition, SettingDefinitions } from "./setting-definition.ts";

/** A role of the service: it answers the endpoints of an issuer, or the requests of proxies. */
export type Role = "issuer" | "gateway";

/** The levels of the log, from the most to the least detailed. `silent` logs nothing. */
const logLevels = ["trace", "debug", "info", "warn", "error", "fatal", "silent"] as const;
export type LogLevel = (typeof logLevels)[number];
const requestLogModes = ["off", "failed", "all"] as const;
export type RequestLogMode = (typeof requestLogModes)[number];

/** Whether spans are recorded, and whether requests to providers carry the trace. */
const tracesModes = ["off", "on", "propagate"] as const;
export type TracesMode = (typeof tracesModes)[number];

/** The parsed settings by their names. A setting without a default is optional. */
export interface SettingValues extends RedisSettingValues {
  readonly HOLDFAST_HOST: string;
  readonly HOLDFAST_PORT: number;
  readonly HOLDFAST_ADMIN_HOST: string;
  readonly HOLDFAST_ADMIN_PORT: number;
  readonly HOLDFAST_ADMIN_TOKEN?: string;
  readonly HOLDFAST_DATA_DIR: string;
  readonly HOLDFAST_URL?: string;
  readonly HOLDFAST_AUDIENCE?: string | Audiences;
  readonly HOLDFAST_ACCESS_TOKEN_TTL: number;
  readonly HOLDFAST_REFRESH_IDLE: number;
  readonly HOLDFAST_REFRESH_ABSOLUTE: number;
  readonly HOLDFAST_LOST_ANSWER: number;
  readonly HOLDFAST_CONFLICT: number;
  readonly HOLDFAST_ALGORITHM: NonNullable<IssuerOptions["algorithm"]>;
  readonly HOLDFAST_KEY_ROTATION: number;
  readonly HOLDFAST_MAX_SESSIONS: number;
  readonly HOLDFAST_ROLES: ReadonlySet<Role>;
  readonly HOLDFAST_STORE: "sqlite" | "redis";
  readonly HOLDFAST_SECRET?: string;
  readonly HOLDFAST_CLIENTS?: readonly ClientCredentials[];
  readonly HOLDFAST_CLIENT_SCOPES?: ReadonlyMap<string, readonly string[]>;
  readonly HOLDFAST_LOGIN_NAMES: "case-insensitive" | "exact";
  readonly HOLDFAST_CLIENT_ACCESS_TOKEN_TTL?: ReadonlyMap<string, number>;
  readonly HOLDFAST_CLIENT_REFRESH_TOKENS?: ReadonlyMap<string, SessionLifetime>;
  readonly HOLDFAST_SHORT_SESSION: SessionLifetime;
  readonly HOLDFAST_CORS_ORIGINS?: readonly string[];
  readonly HOLDFAST_COOKIES?: readonly string[];
  readonly HOLDFAST_COOKIES_SAME_SITE?: "strict" | "lax";
  readonly HOLDFAST_TRUSTED_PROXIES?: BlockList;
  readonly HOLDFAST_CONNECTIONS_PER_PEER: number;
  readonly HOLDFAST_POLICY?: string;
  readonly HOLDFAST_GUARD?: string;
  readonly HOLDFAST_PROVIDER_ISSUER?: string;
  readonly HOLDFAST_PROVIDER_JWKS_URL?: string;
  readonly HOLDFAST_ALLOW_HTTP?: readonly string[];
  readonly HOLDFAST_AUTHORITY_URL?: string;
  readonly HOLDFAST_AUTHORITY_CLIENT?: ClientCredentials;
  readonly HOLDFAST_AUTHORITY_OPAQUE?: boolean | RegExp;
  readonly HOLDFAST_AUTHORITY_ASK?: QuestionScope;
  readonly ALLOW_DEGRADED_AUTH?: DegradedMode;
  readonly HOLDFAST_BOOTSTRAP_USER?: { readonly username: string; readonly password: string };
  readonly HOLDFAST_LOG_LEVEL: LogLevel;
  readonly HOLDFAST_TRACES: TracesMode;
  readonly HOLDFAST_REQUEST_LOG: RequestLogMode;
}

const HOST = "an address or host name to listen on";
const PORT = "a port from 0 to 65535 (0: any free one)";
const HTTP_HOSTS = "host names, addresses or networks such as keycloak,10.0.0.0/8, separated by commas";
const HTTPS_URL = "an https URL (or http to this machine, or to a host of HOLDFAST_ALLOW_HTTP)";

/** Every setting of the service, in the order of docs/reference/settings.md. */
export const settingDefinitions: SettingDefinitions<SettingValues> = {
  HOLDFAST_HOST: { form: HOST, parse: parseHost, default: "127.0.0.1" },
  HOLDFAST_PORT: { form: PORT, parse: parseWholeNumber(65_535), default: "4180" },
  HOLDFAST_ADMIN_HOST: { form: HOST, parse: parseHost, default: "127.0.0.1" },
  HOLDFAST_ADMIN_PORT: { form: PORT, parse: parseWholeNumber(65_535), default: "4181" },
  HOLDFAST_ADMIN_TOKEN: {
    form: "a random text of at least 32 letters, digits and ._~+/-",
    parse: (text) => (/^[\w.~+/-]{32,}=*$/.test(text) ? text : undefined),
    otherwise: "generated, where the admin listener is not on a loopback address",
  },
  HOLDFAST_DATA_DIR: { form: "a directory", parse: parseText, default: "./holdfast-data" },
  HOLDFAST_URL: {
    form: "an http(s) URL without query, fragment or credentials",
    parse: parseHttpUrl,
    otherwise: "the public address",
  },
  HOLDFAST_AUDIENCE: {
    form: "the audience of access tokens, usually a URL; several, separated by commas, each once",
    parse: parseAudience,
    otherwise: "the URL",
  },
  HOLDFAST_ACCESS_TOKEN_TTL: lifetime("10m"),
  HOLDFAST_REFRESH_IDLE: lifetime("30d"),
  HOLDFAST_REFRESH_ABSOLUTE: lifetime("90d"),
  HOLDFAST_LOST_ANSWER: lifetime("24h", 0),
  HOLDFAST_CONFLICT: lifetime("30s", 0),
  HOLDFAST_ALGORITHM: {
    form: signingAlgorithms.join(", "),
    parse: parseOneOf(signingAlgorithms),
    default: "ES256",
  },
  HOLDFAST_KEY_ROTATION: lifetime("30d"),
  HOLDFAST_MAX_SESSIONS: {
    form: `how many live sessions one user may have, from 1 to ${MAX_SESSIONS_PER_USER}`,
    parse: (text) => parseWholeNumber(MAX_SESSIONS_PER_USER)(text) || undefined,
    default: "100",
  },
  HOLDFAST_ROLES: {
    form: "issuer, gateway, or both separated by a comma",
    parse: parseRoles,
    default: "issuer,gateway",
  },
  HOLDFAST_STORE: { form: "sqlite or redis", parse: parseOneOf(["sqlite", "redis"]), default: "sqlite" },
  ...redisSettingDefinitions,
  HOLDFAST_SECRET: {
    form: "at least 32 random bytes as text; several, separated by commas, to rotate",
    parse: (text) =>
      text.split(",").every((part) => Buffer.byteLength(part.trim()) >= 32) ? text : undefined,
    otherwise: "made on first start; required with redis",
  },
  HOLDFAST_CLIENTS: {
    form: "id:secret pairs separated by commas, each id once, each secret of at least 16 characters",
    parse: parseClients,
    otherwise: "none",
  },
  HOLDFAST_CLIENT_SCOPES: {
    form: "id=scopes pairs separated by commas, each id once, scopes separated by blanks",
    parse: parseMap(parseScopes),
    otherwise: "none",
  },
  HOLDFAST_LOGIN_NAMES: {
    form: "case-insensitive or exact",
    parse: parseOneOf(["case-insensitive", "exact"]),
    default: "case-insensitive",
  },
  HOLDFAST_CLIENT_ACCESS_TOKEN_TTL: {
    form: "id=duration pairs separated by commas, each id once, such as sync=5m",
    parse: parseMap(parseDuration(lifetimeBounds)),
    otherwise: "the life of every access token",
  },
  HOLDFAST_CLIENT_REFRESH_TOKENS: {
    form: "id=idle/absolute pairs of durations separated by commas, each id once, such as sync=30d/90d",
    parse: parseMap(parseSessionLifetime),
    otherwise: "none",
  },
  HOLDFAST_SHORT_SESSION: {
    form: "idle/absolute durations, the first at most the second, such as 1h/12h",
    parse: parseSessionLifetime,
    default: "1h/12h",
  },
  HOLDFAST_CORS_ORIGINS: {
    form: "exact origins such as https://app.example.com, without wildcards, separated by commas",
    parse: parseList(parseOrigin),
    explain: explainOrigins,
    otherwise: "none",
  },
  HOLDFAST_COOKIES: {
    form: "exact origins of the pages whose sessions are in cookies, without wildcards, separated by commas",
    parse: parseList(parseOrigin),
    explain: explainOrigins,
    otherwise: "none: off",
  },
  HOLDFAST_COOKIES_SAME_SITE: {
    form: "strict or lax",
    parse: parseOneOf(["strict", "lax"]),
    otherwise: "strict",
  },
  HOLDFAST_TRUSTED_PROXIES: {
    form: "addresses or networks such as 10.0.0.0/8, separated by commas",
    parse: parseTrustedProxies,
    otherwise: "none",
  },
  HOLDFAST_CONNECTIONS_PER_PEER: {
    form: "how many connections one address may have, from 1 to 100000; trusted proxies have no such limit",
    parse: (text) => parseWholeNumber(100_000)(text) || undefined,
    default: "256",
  },
  HOLDFAST_POLICY: { form: "a file", parse: parseText, otherwise: "none: every valid token passes" },
  HOLDFAST_GUARD: { form: "a JSON file", parse: parseText, otherwise: "none" },
  HOLDFAST_PROVIDER_ISSUER: {
    form: "the exact iss of a provider: an http(s) URL",
    parse: (text) => (parseHttpUrl(text) === undefined ? undefined : text),
    otherwise: "none",
  },
  HOLDFAST_PROVIDER_JWKS_URL: {
    form: HTTPS_URL,
    parse: parseProviderUrl,
    otherwise: "discovered from the provider's issuer",
  },
  HOLDFAST_ALLOW_HTTP: { form: HTTP_HOSTS, parse: parseAllowHttp, otherwise: "none: this machine only" },
  HOLDFAST_AUTHORITY_URL: {
    form: HTTPS_URL,
    parse: parseProviderUrl,
    otherwise: "none: the signature is enough",
  },
  HOLDFAST_AUTHORITY_CLIENT: {
    form: "id:secret, as the provider registered this service",
    parse: parseClient,
    otherwise: "required with the URL",
  },
  HOLDFAST_AUTHORITY_OPAQUE: {
    form: `on, off, a longest length from 16 to ${MAX_OPAQUE_LENGTH}, or an expression between slashes such as /^at_[\\w-]{40}$/`,
    parse: parseOpaque,
    otherwise: "on",
  },
  HOLDFAST_AUTHORITY_ASK: {
    form: "all or opaque",
    parse: parseOneOf(questionScopes),
    otherwise: "all",
  },
  ALLOW_DEGRADED_AUTH: {
    form: "true (local), false (deny), deny, cached or local",
    parse: (text) => parseOneOf(degradedModes)(text === "true" ? "local" : text === "false" ? "deny" : text),
    otherwise: "deny",
  },
  HOLDFAST_BOOTSTRAP_USER: {
    form: "name:password, the password of at least 8 characters",
    parse: parseUser,
    otherwise: "admin, with a generated password",
  },
  HOLDFAST_LOG_LEVEL: { form: logLevels.join(", "), parse: parseOneOf(logLevels), default: "info" },
  HOLDFAST_TRACES: { form: "off, on or propagate", parse: parseOneOf(tracesModes), default: "off" },
  HOLDFAST_REQUEST_LOG: {
    form: requestLogModes.join(", "),
    parse: parseOneOf(requestLogModes),
    default: "off",
  },
};

/** A duration within the bounds of the issuer's lifetimes, in milliseconds. */
function lifetime(text: string, min: number = lifetimeBounds.min): SettingDefinition<number> {
  const bounds = { min, max: lifetimeBounds.max };
  return { form: durationForm(bounds, text), parse: parseDuration(bounds), default: text };
}

function parseRoles(text: string): ReadonlySet<Role> | undefined {
  const roles = parseList(parseOneOf<Role>(["issuer", "gateway"]))(text);
  return roles === undefined ? undefined : new Set(roles);
}
