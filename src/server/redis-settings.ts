import type { RedisStoreOptions } from "../stores/redis.ts";
import type { RedisAddressOptions } from "../stores/redis/address.ts";
import type { SettingValues } from "./setting-definitions.ts";

/** PEM files of TLS. */
interface TlsFiles {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
}

/** A user of Redis. The password is in a file that may change while the service runs, or fixed. */
interface RedisUser {
  readonly username?: string;
  readonly password?: string;
  readonly passwordFile?: string;
}

/** The checked settings of the store in Redis. Files are read when a connection is opened. */
export interface RedisSettings extends Pick<
  RedisStoreOptions,
  keyof RedisAddressOptions | "replicas" | "durability" | "nodeAddressMap"
> {
  readonly tlsFiles?: TlsFiles;
  readonly passwordFile?: string;
  readonly sentinelTlsFiles?: TlsFiles;
  readonly sentinelUser?: RedisUser;
}

const sentinelOnly = [
  "HOLDFAST_REDIS_SENTINEL_USER",
  "HOLDFAST_REDIS_SENTINEL_PASSWORD",
  "HOLDFAST_REDIS_SENTINEL_PASSWORD_FILE",
  "HOLDFAST_REDIS_SENTINEL_TLS",
  "HOLDFAST_REDIS_SENTINEL_CA",
  "HOLDFAST_REDIS_SENTINEL_CERT",
  "HOLDFAST_REDIS_SENTINEL_KEY",
] as const;

const redisOnly = [
  "HOLDFAST_REDIS_REPLICAS",
  "HOLDFAST_REDIS_DURABILITY",
  "HOLDFAST_REDIS_CA",
  "HOLDFAST_REDIS_CERT",
  "HOLDFAST_REDIS_KEY",
  "HOLDFAST_REDIS_PASSWORD_FILE",
  ...sentinelOnly,
  "HOLDFAST_REDIS_NODE_ADDRESS_MAP",
] as const;

/** Services that share Redis share one secret, so the service cannot generate it on one machine. */
export function findRedisConflicts(values: Partial<SettingValues>): string[] {
  const isGiven = (name: keyof SettingValues) => values[name] !== undefined;
  if (values.HOLDFAST_STORE !== "redis") {
    return redisOnly.filter(isGiven).map((name) => `${name} needs HOLDFAST_STORE=redis`);
  }
  const needed = [
    ["REDIS_URL", "such as redis://127.0.0.1:6379"],
    ["HOLDFAST_SECRET", "such as the output of openssl rand -base64 32"],
  ] as const;
  const problems = needed
    .filter(([name]) => !isGiven(name))
    .map(([name, example]) => `HOLDFAST_STORE=redis needs ${name}, ${example}`);
  const pair = ["HOLDFAST_REDIS_CERT", "HOLDFAST_REDIS_KEY"] as const;
  if (pair.filter(isGiven).length === 1) problems.push(`${pair.join(" and ")} need each other`);
  const { REDIS_URL: { url, cluster, sentinel } = {} } = values;
  const primary = url ?? cluster?.[0] ?? sentinel?.url ?? "";
  const tls = ["HOLDFAST_REDIS_CA", "HOLDFAST_REDIS_CERT"] as const;
  const { HOLDFAST_REDIS_SENTINEL_TLS: sentinelTls } = values;
  if (!primary.startsWith("rediss:") && sentinelTls !== true) {
    problems.push(...tls.filter(isGiven).map((name) => `${name} needs REDIS_URL to begin with rediss`));
  }
  if (isGiven("HOLDFAST_REDIS_PASSWORD_FILE") && (URL.parse(primary)?.password ?? "") !== "") {
    problems.push("HOLDFAST_REDIS_PASSWORD_FILE and a password in REDIS_URL exclude each other");
  }
  return [...problems, ...findSentinelConflicts(values)];
}

function findSentinelConflicts(values: Partial<SettingValues>): string[] {
  const isGiven = (name: keyof SettingValues) => values[name] !== undefined;
  const { REDIS_URL: { sentinel } = {} } = values;
  if (sentinel === undefined) {
    return sentinelOnly.filter(isGiven).map((name) => `${name} needs REDIS_URL to begin with redis-sentinel`);
  }
  const problems: string[] = [];
  const passwords = ["HOLDFAST_REDIS_SENTINEL_PASSWORD", "HOLDFAST_REDIS_SENTINEL_PASSWORD_FILE"] as const;
  const given = passwords.filter(isGiven).length;
  if (given === 2) problems.push(`${passwords.join(" and ")} exclude each other`);
  if (given === 0 && isGiven("HOLDFAST_REDIS_SENTINEL_USER"))
    problems.push("HOLDFAST_REDIS_SENTINEL_USER needs HOLDFAST_REDIS_SENTINEL_PASSWORD, or its file");
  const pair = ["HOLDFAST_REDIS_SENTINEL_CERT", "HOLDFAST_REDIS_SENTINEL_KEY"] as const;
  if (pair.filter(isGiven).length === 1) problems.push(`${pair.join(" and ")} need each other`);
  const pems = ["HOLDFAST_REDIS_SENTINEL_CA", "HOLDFAST_REDIS_SENTINEL_CERT"] as const;
  if (!hasSentinelTls(values))
    problems.push(...pems.filter(isGiven).map((name) => `${name} needs HOLDFAST_REDIS_SENTINEL_TLS=on`));
  return problems;
}

function hasSentinelTls({ REDIS_URL, HOLDFAST_REDIS_SENTINEL_TLS: tls }: Partial<SettingValues>): boolean {
  return tls ?? REDIS_URL?.sentinel?.url.startsWith("rediss:") === true;
}

export function toRedisSettings(values: SettingValues): RedisSettings {
  const { HOLDFAST_REDIS_REPLICAS: replicas, HOLDFAST_REDIS_PASSWORD_FILE: passwordFile } = values;
  const { HOLDFAST_REDIS_DURABILITY: durability, HOLDFAST_REDIS_NODE_ADDRESS_MAP: map } = values;
  const tlsFiles = toTlsFiles({
    ca: values.HOLDFAST_REDIS_CA,
    cert: values.HOLDFAST_REDIS_CERT,
    key: values.HOLDFAST_REDIS_KEY,
  });
  return {
    ...toAddress(values),
    ...(replicas !== undefined && { replicas }),
    ...(durability !== undefined && { durability }),
    ...(map !== undefined && { nodeAddressMap: Object.fromEntries(map) }),
    ...(tlsFiles !== undefined && { tlsFiles }),
    ...(passwordFile !== undefined && { passwordFile }),
    ...toSentinelSettings(values, tlsFiles),
  };
}

/** The scheme of a Sentinel says whether it uses TLS. */
function toAddress(values: SettingValues): RedisAddressOptions {
  const { REDIS_URL: address = {} } = values;
  const { sentinel } = address;
  if (sentinel === undefined) return address;
  const scheme = hasSentinelTls(values) ? "rediss:" : "redis:";
  const nodes = sentinel.nodes.map((node) => node.replace(/^rediss?:/, scheme));
  return { sentinel: { ...sentinel, nodes } };
}

/** A file that is not given is that of the primary. */
function toSentinelSettings(
  values: SettingValues,
  ofPrimary: TlsFiles = {},
): Pick<RedisSettings, "sentinelTlsFiles" | "sentinelUser"> {
  const own = toTlsFiles({
    ca: values.HOLDFAST_REDIS_SENTINEL_CA,
    cert: values.HOLDFAST_REDIS_SENTINEL_CERT,
    key: values.HOLDFAST_REDIS_SENTINEL_KEY,
  });
  const username = values.HOLDFAST_REDIS_SENTINEL_USER;
  const password = values.HOLDFAST_REDIS_SENTINEL_PASSWORD;
  const passwordFile = values.HOLDFAST_REDIS_SENTINEL_PASSWORD_FILE;
  const hasUser = password !== undefined || passwordFile !== undefined;
  const user = {
    ...(username !== undefined && { username }),
    ...(password !== undefined && { password }),
    ...(passwordFile !== undefined && { passwordFile }),
  };
  return {
    ...(own !== undefined && { sentinelTlsFiles: { ...ofPrimary, ...own } }),
    ...(hasUser && { sentinelUser: user }),
  };
}

/** `undefined` without any file. */
function toTlsFiles(files: Readonly<Record<keyof TlsFiles, string | undefined>>): TlsFiles | undefined {
  const given = Object.entries(files).filter(([, file]) => file !== undefined);
  return given.length === 0 ? undefined : (Object.fromEntries(given) as TlsFiles);
}
