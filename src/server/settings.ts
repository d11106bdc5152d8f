import type { DegradedMode } from "../core/rules.ts";
import { BlockList } from "node:net";
import { resolve } from "node:path";
import { closest, distance } from "fastest-levenshtein";
import { z } from "zod";
import { HoldfastError } from "../core/errors.ts";
import type { RedisStoreOptions } from "../stores/redis.ts";
import type { RedisAddressOptions } from "../stores/redis/address.ts";
import {
  parseClientScopes,
  parseDegradedMode,
  parseList,
  parseOrigin,
  parsePair,
  parseTrustedProxies,
  parsePort,
  parseRedisUrl,
  parseRole,
  parseText,
  parseHttpsUrl,
  parseHttpUrl,
  type Role,
} from "./setting-parsers.ts";

/** A setting: what its text must be, and how it is read; `undefined` refuses it. The text itself is never shown. */
function setting<T>(mustBe: string, read: (value: string) => T | undefined) {
  return z.string().transform((value, context): T => {
    const result = value === "" ? undefined : read(value);
    if (result !== undefined) return result;
    context.addIssue({ code: "custom", message: `must be ${mustBe}` });
    return z.NEVER;
  });
}

/** Every setting there is. Units and defaults: docs/options.md. */
const schema = z.object({
  HOLDFAST_HOST: setting("an address or host name to listen on", (value) =>
    /^[\w.:-]+$/.test(value) ? value : undefined,
  ).default("127.0.0.1"),
  HOLDFAST_PORT: setting("a port from 0 to 65535 (0: any free one)", parsePort).default(4180),
  HOLDFAST_ADMIN_PORT: setting("a port from 0 to 65535 (0: any free one)", parsePort).default(4181),
  HOLDFAST_DATA_DIR: setting("a directory", parseText).default("./holdfast-data"),
  HOLDFAST_URL: setting("an http(s) URL without query, fragment or credentials", parseHttpUrl).optional(),
  HOLDFAST_AUDIENCE: setting("the audience of access tokens, usually a URL", parseText).optional(),
  HOLDFAST_ROLES: setting("issuer, gateway, or both separated by a comma", (value) => {
    const roles = parseList(parseRole)(value);
    return roles === undefined ? undefined : new Set(roles);
  }).default(new Set<Role>(["issuer", "gateway"])),
  HOLDFAST_STORE: setting("sqlite or redis", (value) =>
    value === "sqlite" || value === "redis" ? value : undefined,
  ).default("sqlite"),
  REDIS_URL: setting(
    "redis://[user:password@]host[:port][/database] or rediss:; several separated by commas for a cluster; or redis-sentinel://[user:password@]host:port[,host:port…]/name",
    parseRedisUrl,
  ).optional(),
  HOLDFAST_REDIS_REPLICAS: setting("how many replicas must have a write, from 0 to 100", (value) =>
    /^\d{1,3}$/.test(value) && Number(value) <= 100 ? Number(value) : undefined,
  ).optional(),
  HOLDFAST_REDIS_DURABILITY: setting("always, everysec or unchecked", (value) =>
    value === "always" || value === "everysec" || value === "unchecked" ? value : undefined,
  ).optional(),
  HOLDFAST_SECRET: setting(
    "at least 32 random bytes as text; several, separated by commas, to rotate",
    (value) => (value.split(",").every((part) => Buffer.byteLength(part.trim()) >= 32) ? value : undefined),
  ).optional(),
  HOLDFAST_CLIENTS: setting(
    "id:secret pairs separated by commas, each id once, each secret of at least 16 characters",
    (value) => {
      const clients = parseList((part) => parsePair(part, 16))(value)?.map(([id, secret]) => ({
        id,
        secret,
      }));
      return new Set(clients?.map(({ id }) => id)).size === clients?.length ? clients : undefined;
    },
  ).optional(),
  HOLDFAST_CLIENT_SCOPES: setting(
    "id=scopes pairs separated by commas, each id once, scopes separated by blanks",
    (value) => {
      const scopes = parseList(parseClientScopes)(value);
      return new Set(scopes?.map(([id]) => id)).size === scopes?.length ? new Map(scopes) : undefined;
    },
  ).optional(),
  HOLDFAST_CORS_ORIGINS: setting(
    "origins such as https://app.example.com, separated by commas",
    parseList(parseOrigin),
  ).optional(),
  HOLDFAST_TRUSTED_PROXIES: setting(
    "addresses or networks such as 10.0.0.0/8, separated by commas",
    parseTrustedProxies,
  ).optional(),
  HOLDFAST_POLICY: setting("a file", parseText).optional(),
  HOLDFAST_PROVIDER_ISSUER: setting("the exact iss of a provider: an http(s) URL", (value) =>
    parseHttpUrl(value) === undefined ? undefined : value,
  ).optional(),
  HOLDFAST_PROVIDER_JWKS_URL: setting("an https URL (or http to this machine)", parseHttpsUrl).optional(),
  HOLDFAST_AUTHORITY_URL: setting("an https URL (or http to this machine)", parseHttpsUrl).optional(),
  HOLDFAST_AUTHORITY_CLIENT: setting("id:secret, as the provider registered this service", (value) => {
    const [id, secret] = parsePair(value, 1) ?? [];
    return id === undefined || secret === undefined ? undefined : { id, secret };
  }).optional(),
  HOLDFAST_BOOTSTRAP_USER: setting("name:password, the password of at least 8 characters", (value) => {
    const [username, password] = parsePair(value, 8) ?? [];
    return username === undefined || password === undefined ? undefined : { username, password };
  }).optional(),
  ALLOW_DEGRADED_AUTH: setting(
    "true (local), false (deny), deny, cached or local",
    parseDegradedMode,
  ).optional(),
});

/** Somebody else's provider, whose tokens the gateway accepts too. */
export interface ProviderSettings {
  readonly issuer: string;
  /** Discovered from the issuer when it is not given. */
  readonly jwksUrl: string | undefined;
  /** Token introspection. */
  readonly authority: { readonly url: string; readonly client: Client } | undefined;
}

interface Client {
  readonly id: string;
  readonly secret: string;
}

/** What the service was told, checked. Where a value depends on the port that was bound, it is `undefined` here. */
export interface Settings {
  readonly host: string;
  readonly port: number;
  readonly adminPort: number;
  /** Absolute. */
  readonly dataDir: string;
  readonly url: string | undefined;
  readonly audience: string | undefined;
  /** What it answers: the endpoints of an issuer, the questions of proxies. */
  readonly roles: ReadonlySet<Role>;
  /** The embedded store without it. */
  readonly redis: Pick<RedisStoreOptions, keyof RedisAddressOptions | "replicas" | "durability"> | undefined;
  readonly secret: string | undefined;
  readonly clients: readonly (Client & { readonly scopes: readonly string[] })[];
  readonly corsOrigins: readonly string[];
  readonly trustedProxies: BlockList;
  /** Absolute; what the gateway lets pass. */
  readonly policyFile: string | undefined;
  readonly provider: ProviderSettings | undefined;
  /** Without a provider's authority; `undefined` where nothing was said. */
  readonly degraded: DegradedMode | undefined;
  readonly bootstrapUser: { readonly username: string; readonly password: string } | undefined;
}

/** Reads `HOLDFAST_…` settings; refuses all that are wrong at once, each by name, none by value. */
export function readSettings(env: Readonly<Record<string, string | undefined>>): Settings {
  const given = Object.keys(env).filter((name) => name.startsWith("HOLDFAST_") && env[name] !== undefined);
  const known = Object.keys(schema.shape);
  const problems = given.filter((name) => !known.includes(name)).map((name) => unknownSetting(name, known));
  const { data, error } = schema.safeParse(env);
  problems.push(...(error?.issues ?? []).map((issue) => `${issue.path.join(".")} ${issue.message}`));
  if (data !== undefined && data.HOLDFAST_PORT !== 0 && data.HOLDFAST_PORT === data.HOLDFAST_ADMIN_PORT) {
    problems.push("HOLDFAST_ADMIN_PORT must be another port than HOLDFAST_PORT");
  }
  problems.push(
    ...redisProblems(data ?? {}),
    ...missingCompanions(data ?? {}),
    ...settingsOfOtherRoles(data ?? {}),
  );
  for (const id of data?.HOLDFAST_CLIENT_SCOPES?.keys() ?? []) {
    if (data?.HOLDFAST_CLIENTS?.some((client) => client.id === id) === true) continue;
    problems.push(`HOLDFAST_CLIENT_SCOPES names ${id}, which HOLDFAST_CLIENTS does not`);
  }
  if (data === undefined || problems.length > 0) {
    throw new HoldfastError("invalid_option", problems.join("\n"));
  }
  return {
    host: data.HOLDFAST_HOST,
    port: data.HOLDFAST_PORT,
    adminPort: data.HOLDFAST_ADMIN_PORT,
    dataDir: resolve(data.HOLDFAST_DATA_DIR),
    url: data.HOLDFAST_URL,
    audience: data.HOLDFAST_AUDIENCE,
    roles: data.HOLDFAST_ROLES,
    redis: redisOptions(data),
    secret: data.HOLDFAST_SECRET,
    clients: (data.HOLDFAST_CLIENTS ?? []).map((client) => ({
      ...client,
      scopes: data.HOLDFAST_CLIENT_SCOPES?.get(client.id) ?? [],
    })),
    corsOrigins: data.HOLDFAST_CORS_ORIGINS ?? [],
    trustedProxies: data.HOLDFAST_TRUSTED_PROXIES ?? new BlockList(),
    policyFile: data.HOLDFAST_POLICY === undefined ? undefined : resolve(data.HOLDFAST_POLICY),
    provider: providerSettings(data),
    degraded: data.ALLOW_DEGRADED_AUTH,
    bootstrapUser: data.HOLDFAST_BOOTSTRAP_USER,
  };
}

type ParsedSettings = Partial<z.output<typeof schema>>;

/** Who shares a store shares its secret: none is made on one machine. */
function redisProblems(read: ParsedSettings): string[] {
  const inUse = read.HOLDFAST_STORE === "redis";
  const needed = ["REDIS_URL", "HOLDFAST_SECRET"] as const;
  const idle = ["HOLDFAST_REDIS_REPLICAS", "HOLDFAST_REDIS_DURABILITY"] as const;
  return [
    ...needed
      .filter((name) => inUse && read[name] === undefined)
      .map((n) => `HOLDFAST_STORE=redis needs ${n}`),
    ...idle
      .filter((name) => !inUse && read[name] !== undefined)
      .map((n) => `${n} needs HOLDFAST_STORE=redis`),
  ];
}

function redisOptions(read: ParsedSettings): Settings["redis"] {
  if (read.HOLDFAST_STORE !== "redis") return undefined;
  const { HOLDFAST_REDIS_REPLICAS: replicas, HOLDFAST_REDIS_DURABILITY: durability } = read;
  return {
    ...read.REDIS_URL,
    ...(replicas !== undefined && { replicas }),
    ...(durability !== undefined && { durability }),
  };
}

/** Settings that say nothing without another one. */
function missingCompanions(read: ParsedSettings): string[] {
  const needs: [keyof ParsedSettings, keyof ParsedSettings][] = [
    ["HOLDFAST_POLICY", "HOLDFAST_TRUSTED_PROXIES"],
    ["HOLDFAST_PROVIDER_JWKS_URL", "HOLDFAST_PROVIDER_ISSUER"],
    ["HOLDFAST_AUTHORITY_URL", "HOLDFAST_PROVIDER_ISSUER"],
    ["HOLDFAST_AUTHORITY_URL", "HOLDFAST_AUTHORITY_CLIENT"],
    ["HOLDFAST_AUTHORITY_CLIENT", "HOLDFAST_AUTHORITY_URL"],
  ];
  return needs
    .filter(([given, needed]) => read[given] !== undefined && read[needed] === undefined)
    .map(([given, needed]) => `${given} needs ${needed}`);
}

/** Settings of a role that this service does not have. */
function settingsOfOtherRoles(read: ParsedSettings): string[] {
  const of: [keyof ParsedSettings, Role][] = [
    ["HOLDFAST_POLICY", "gateway"],
    ["HOLDFAST_BOOTSTRAP_USER", "issuer"],
  ];
  return of
    .filter(([given, needed]) => read[given] !== undefined && read.HOLDFAST_ROLES?.has(needed) === false)
    .map(([given, needed]) => `${given} needs HOLDFAST_ROLES to name ${needed}`);
}

function providerSettings(read: ParsedSettings): ProviderSettings | undefined {
  const issuer = read.HOLDFAST_PROVIDER_ISSUER;
  const url = read.HOLDFAST_AUTHORITY_URL;
  const client = read.HOLDFAST_AUTHORITY_CLIENT;
  if (issuer === undefined) return undefined;
  const authority = url === undefined || client === undefined ? undefined : { url, client };
  return { issuer, jwksUrl: read.HOLDFAST_PROVIDER_JWKS_URL, authority };
}

function unknownSetting(name: string, known: readonly string[]): string {
  const likely = closest(name, known);
  const hint = distance(name, likely) <= 4 ? `did you mean ${likely}?` : `there are ${known.join(", ")}`;
  return `${name} is not a setting; ${hint}`;
}
