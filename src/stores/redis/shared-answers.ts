import { hkdfSync } from "node:crypto";
import { readOptions } from "../../core/options.ts";
import type { SharedAnswers, SharedAnswersSource } from "../shared-answers.ts";
import { describeAddress, selectAddress, type RedisAddress, type RedisAddressOptions } from "./address.ts";
import { checkAccess, type RedisAccessOptions } from "./access.ts";
import type { RedisConnection } from "./connection.ts";
import { openConnectionInBackground } from "./open-connection.ts";
import { redisAnswersOptionTable } from "./options.ts";
import { defineWrite } from "./script.ts";

export type { RedisCredentials, RedisNode, RedisTls } from "./access.ts";

/** Options of `redisAnswers`. Exactly one of `url`, `cluster` and `sentinel` is required. */
export interface RedisAnswersOptions extends RedisAddressOptions, RedisAccessOptions {
  /**
   * Secret from which the names and keys of the entries are derived: at least 32 random bytes as text. All guards that
   * share must have the same one. Only the first of several secrets, separated by commas, is used.
   */
  secret: string;
  /** Prefix of all Redis keys, without braces. Default `holdfast:`. */
  prefix?: string;
  /** How long a guard waits for an answer before it asks the authority, ms: 1 to 60,000. Default 50. */
  timeoutMs?: number;
}

/** The largest number of names in a list. */
const MAX_LISTED = 10_000;
/** Lifetime of a list after its last write, ms. */
const LIST_TTL_MS = 86_400_000;
/** How long one attempt to connect lasts. */
const OPEN_TIMEOUT_MS = 5000;

const recordUse = defineWrite(`
for i = 2, #ARGV do redis.call('ZADD', KEYS[1], now, ARGV[i]) end
redis.call('ZREMRANGEBYRANK', KEYS[1], 0, -${MAX_LISTED + 1})
redis.call('PEXPIRE', KEYS[1], ${LIST_TTL_MS})`);

/**
 * Shares the authority's answers in Redis among all guards that have the same secret. Redis may be a single server, a
 * primary that Sentinels manage, or a cluster, and it may evict entries. This needs the package `redis`, version 6.
 *
 * Throws `invalid_option` for wrong options. When the server cannot be reached, the guards ask the authority.
 *
 * @example
 * ```ts
 * import { redisAnswers } from "holdfast/redis";
 *
 * const shared = redisAnswers({
 *   url: "redis://127.0.0.1:6379",
 *   secret: process.env["HOLDFAST_SECRET"] ?? "",
 * });
 * ```
 */
export function redisAnswers(options: RedisAnswersOptions): SharedAnswersSource {
  const settings = readOptions("redisAnswers", options, redisAnswersOptionTable);
  const { secret, prefix, timeoutMs } = settings;
  const address = selectAddress("redisAnswers", settings);
  checkAccess("redisAnswers", address, settings);
  const description = `redis ${describeAddress(address)}`;
  return {
    description,
    timeoutMs,
    // HKDF (RFC 5869) without a salt, which it does not need for a random secret.
    deriveKey: (purpose) =>
      new Uint8Array(hkdfSync("sha256", secret, "", `holdfast/1 answers ${purpose}`, 32)),
    open({ clock, random }) {
      const connection = openConnectionInBackground({
        address,
        access: settings,
        description,
        clock,
        random,
        virtual: false,
        replicas: 0,
        commandTimeoutMs: timeoutMs,
        openTimeoutMs: OPEN_TIMEOUT_MS,
      });
      const close = async () => await connection.close();
      return { ...createSharedAnswers(connection, address.kind, prefix), close };
    },
  };
}

function createSharedAnswers(
  connection: RedisConnection,
  kind: RedisAddress["kind"],
  prefix: string,
): Omit<SharedAnswers, "close"> {
  const keyOf = (name: string) => `${prefix}{answer:${name}}`;
  const listOf = (list: string) => `${prefix}{answers:${list}}`;
  const send = async (key: string, command: readonly string[]) => await connection.send(key, command, 0);
  return {
    async get(names) {
      const keys = names.map(keyOf);
      // The keys are spread over the nodes of a cluster, so each needs a command. Commands of one turn of the event loop are pipelined.
      const replies =
        kind === "cluster"
          ? await Promise.all(keys.map(async (key) => await send(key, ["GET", key])))
          : await send(keys[0] ?? "", ["MGET", ...keys]);
      return replies as (string | null)[];
    },
    async set(entries) {
      const set = async ({ name, text, ttlMs, replaces }: (typeof entries)[number]) => {
        const command = ["SET", keyOf(name), text, "PX", String(Math.ceil(ttlMs))];
        return await send(keyOf(name), replaces ? command : [...command, "NX"]);
      };
      await Promise.all(entries.map(set));
    },
    used: async (list, names) => void (await connection.runScript(recordUse, [listOf(list)], names)),
    async recent(list) {
      const key = listOf(list);
      return (await send(key, ["ZRANGE", key, "0", String(MAX_LISTED - 1), "REV"])) as string[];
    },
  };
}
