import type { RedisAddressOptions } from "../stores/redis/address.ts";
import { parseNodeAddressMap, parseRedisUrl } from "./redis-setting-parsers.ts";
import type { SettingDefinitions } from "./setting-definition.ts";
import { parseOneOf, parseText, parseWholeNumber } from "./setting-parsers.ts";

/** The parsed settings of the store in Redis by their names. Each of them is optional. */
export interface RedisSettingValues {
  readonly REDIS_URL?: RedisAddressOptions;
  readonly HOLDFAST_REDIS_REPLICAS?: number;
  readonly HOLDFAST_REDIS_DURABILITY?: "always" | "everysec" | "unchecked";
  readonly HOLDFAST_REDIS_CA?: string;
  readonly HOLDFAST_REDIS_CERT?: string;
  readonly HOLDFAST_REDIS_KEY?: string;
  readonly HOLDFAST_REDIS_PASSWORD_FILE?: string;
  readonly HOLDFAST_REDIS_SENTINEL_USER?: string;
  readonly HOLDFAST_REDIS_SENTINEL_PASSWORD?: string;
  readonly HOLDFAST_REDIS_SENTINEL_PASSWORD_FILE?: string;
  readonly HOLDFAST_REDIS_SENTINEL_TLS?: boolean;
  readonly HOLDFAST_REDIS_SENTINEL_CA?: string;
  readonly HOLDFAST_REDIS_SENTINEL_CERT?: string;
  readonly HOLDFAST_REDIS_SENTINEL_KEY?: string;
  readonly HOLDFAST_REDIS_NODE_ADDRESS_MAP?: ReadonlyMap<string, { host: string; port: number }>;
}

/** Every setting of the store in Redis, in the order of docs/reference/settings.md. */
export const redisSettingDefinitions: SettingDefinitions<RedisSettingValues> = {
  REDIS_URL: {
    form: "redis://[user:password@]host[:port][/database] or rediss:; several separated by commas for a cluster; or redis-sentinel://[user:password@]host:port[,host:port…]/name, or rediss-sentinel:. The user and the password are percent-encoded (% is %25)",
    parse: parseRedisUrl,
    otherwise: "required with redis",
  },
  HOLDFAST_REDIS_REPLICAS: {
    form: "how many replicas must have a write, from 0 to 100",
    parse: parseWholeNumber(100),
    otherwise: "1 behind Sentinels and in a cluster with replicas, else 0",
  },
  HOLDFAST_REDIS_DURABILITY: {
    form: "always, everysec or unchecked",
    parse: parseOneOf(["always", "everysec", "unchecked"]),
    otherwise: "everysec",
  },
  HOLDFAST_REDIS_CA: { form: "a PEM file", parse: parseText, otherwise: "what Node trusts" },
  HOLDFAST_REDIS_CERT: { form: "a PEM file", parse: parseText, otherwise: "none" },
  HOLDFAST_REDIS_KEY: { form: "a PEM file", parse: parseText, otherwise: "none" },
  HOLDFAST_REDIS_PASSWORD_FILE: { form: "a file", parse: parseText, otherwise: "the password of the URL" },
  HOLDFAST_REDIS_SENTINEL_USER: { form: "an ACL user", parse: parseText, otherwise: "default" },
  HOLDFAST_REDIS_SENTINEL_PASSWORD: { form: "a text", parse: parseText, otherwise: "none" },
  HOLDFAST_REDIS_SENTINEL_PASSWORD_FILE: { form: "a file", parse: parseText, otherwise: "none" },
  HOLDFAST_REDIS_SENTINEL_TLS: {
    form: "on or off",
    parse: (text) => (text === "on" ? true : text === "off" ? false : undefined),
    otherwise: "on with rediss-sentinel:, else off",
  },
  HOLDFAST_REDIS_SENTINEL_CA: { form: "a PEM file", parse: parseText, otherwise: "HOLDFAST_REDIS_CA" },
  HOLDFAST_REDIS_SENTINEL_CERT: { form: "a PEM file", parse: parseText, otherwise: "HOLDFAST_REDIS_CERT" },
  HOLDFAST_REDIS_SENTINEL_KEY: { form: "a PEM file", parse: parseText, otherwise: "HOLDFAST_REDIS_KEY" },
  HOLDFAST_REDIS_NODE_ADDRESS_MAP: {
    form: "announced-host:port=host:port pairs separated by commas",
    parse: parseNodeAddressMap,
    otherwise: "none",
  },
};
