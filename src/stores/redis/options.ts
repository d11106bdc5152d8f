import type { Clock } from "../../core/clock.ts";
import type { Entropy } from "../../core/entropy.ts";
import { entropyOption, randomOption } from "../../core/entropy-options.ts";
import {
  invalidOption,
  option,
  readString,
  readWholeNumber,
  wholeOption,
  type OptionReader,
  type OptionTable,
} from "../../core/options.ts";
import { readChoice } from "../../core/option-values.ts";
import { redisAccessOptionTable, type RedisAccess } from "./access.ts";
import { redisAddressOptionTable, type RedisAddressSettings } from "./address.ts";
import type { Durability } from "./durability.ts";

/** Prefix of all keys, unless the option `prefix` gives another one. */
export const DEFAULT_PREFIX = "holdfast:";

/** The checked options of `redisStore`. */
export interface RedisStoreSettings extends RedisAddressSettings, RedisAccess {
  readonly prefix: string;
  readonly commandTimeoutMs: number;
  readonly openTimeoutMs: number;
  /** `undefined` when it depends on the servers. */
  readonly replicas: number | undefined;
  readonly durability: Durability;
  /** `undefined` when the store uses the server's time. */
  readonly clock: Clock | undefined;
  readonly random: () => number;
  readonly entropy: Entropy;
}

/** The checked options of `redisAnswers`. */
export interface RedisAnswersSettings extends RedisAddressSettings, RedisAccess {
  /** The first of the secrets. */
  readonly secret: string;
  readonly prefix: string;
  readonly timeoutMs: number;
}

const prefixOption: OptionReader<string> = option(readPrefix, DEFAULT_PREFIX);

/** The options of `redisStore`. */
export const redisStoreOptionTable: OptionTable<RedisStoreSettings> = {
  ...redisAddressOptionTable,
  ...redisAccessOptionTable,
  prefix: prefixOption,
  commandTimeoutMs: wholeOption(500, 1, 60_000),
  openTimeoutMs: wholeOption(5000, 1, 60_000),
  replicas: option((name, value) =>
    value === undefined ? undefined : readWholeNumber(name, value, { default: 0, min: 0, max: 100 }),
  ),
  durability: option<Durability>(readDurability, "everysec"),
  clock: option((_name, value) => value as Clock | undefined),
  random: randomOption,
  entropy: entropyOption("redisStore"),
};

/** The options of `redisAnswers`. */
export const redisAnswersOptionTable: OptionTable<RedisAnswersSettings> = {
  ...redisAddressOptionTable,
  ...redisAccessOptionTable,
  secret: option(readFirstSecret),
  prefix: prefixOption,
  timeoutMs: wholeOption(50, 1, 60_000),
};

/** Refuses braces: in a cluster they decide which server has a key. */
function readPrefix(name: string, value: unknown): string {
  const prefix = readString(name, value);
  if (/[{}]/.test(prefix)) throw invalidOption(name, "a string without braces", value);
  return prefix;
}

function readDurability(name: string, value: unknown): Durability {
  return readChoice(name, ["always", "everysec", "unchecked"], value);
}

function readFirstSecret(name: string, value: unknown): string {
  const secret = readString(name, value).split(",")[0]?.trim() ?? "";
  if (Buffer.byteLength(secret) < 32) throw invalidOption(name, "at least 32 random bytes as text", value);
  return secret;
}
