import type { RedisStoreOptions } from "../stores/redis.ts";
import type { RedisAddressOptions } from "../stores/redis/address.ts";
import type { SettingValues } from "./setting-definitions.ts";

/** The checked settings of the store in Redis. Files are read when a connection is opened. */
export interface RedisSettings extends Pick<
  RedisStoreOptions,
  keyof RedisAddressOptions | "replicas" | "durability" | "nodeAddressMap"
> {
  /** The PEM files of TLS. */
  readonly tlsFiles?: { readonly ca?: string; readonly cert?: string; readonly key?: string };
  /** The file with the password, which may change while the service runs. */
  readonly passwordFile?: string;
}

const redisOnly = [
  "HOLDFAST_REDIS_REPLICAS",
  "HOLDFAST_REDIS_DURABILITY",
  "HOLDFAST_REDIS_CA",
  "HOLDFAST_REDIS_CERT",
  "HOLDFAST_REDIS_KEY",
  "HOLDFAST_REDIS_PASSWORD_FILE",
  "HOLDFAST_REDIS_NODE_ADDRESS_MAP",
] as const;

/** Services that share Redis share one secret, so the service cannot generate it on one machine. */
export function findRedisConflicts(values: Partial<SettingValues>): string[] {
  const isGiven = (name: keyof SettingValues) => values[name] !== undefined;
  if (values.HOLDFAST_STORE !== "redis") {
    return redisOnly.filter(isGiven).map((name) => `${name} needs HOLDFAST_STORE=redis`);
  }
  const needed = ["REDIS_URL", "HOLDFAST_SECRET"] as const;
  const problems = needed
    .filter((name) => !isGiven(name))
    .map((name) => `HOLDFAST_STORE=redis needs ${name}`);
  const pair = ["HOLDFAST_REDIS_CERT", "HOLDFAST_REDIS_KEY"] as const;
  if (pair.filter(isGiven).length === 1) problems.push(`${pair.join(" and ")} need each other`);
  const { REDIS_URL: { url, cluster, sentinel } = {} } = values;
  const primary = url ?? cluster?.[0] ?? sentinel?.url ?? "";
  const tls = ["HOLDFAST_REDIS_CA", "HOLDFAST_REDIS_CERT"] as const;
  if (!primary.startsWith("rediss:")) {
    problems.push(...tls.filter(isGiven).map((name) => `${name} needs REDIS_URL to begin with rediss`));
  }
  if (isGiven("HOLDFAST_REDIS_PASSWORD_FILE") && (URL.parse(primary)?.password ?? "") !== "") {
    problems.push("HOLDFAST_REDIS_PASSWORD_FILE and a password in REDIS_URL exclude each other");
  }
  return problems;
}

export function toRedisSettings(values: SettingValues): RedisSettings {
  const { REDIS_URL: address, HOLDFAST_REDIS_REPLICAS: replicas } = values;
  const { HOLDFAST_REDIS_DURABILITY: durability, HOLDFAST_REDIS_NODE_ADDRESS_MAP: map } = values;
  const { HOLDFAST_REDIS_CA: ca, HOLDFAST_REDIS_CERT: cert, HOLDFAST_REDIS_KEY: key } = values;
  const { HOLDFAST_REDIS_PASSWORD_FILE: passwordFile } = values;
  const tlsFiles = {
    ...(ca !== undefined && { ca }),
    ...(cert !== undefined && { cert }),
    ...(key !== undefined && { key }),
  };
  return {
    ...address,
    ...(replicas !== undefined && { replicas }),
    ...(durability !== undefined && { durability }),
    ...(map !== undefined && { nodeAddressMap: Object.fromEntries(map) }),
    ...(Object.keys(tlsFiles).length > 0 && { tlsFiles }),
    ...(passwordFile !== undefined && { passwordFile }),
  };
}
