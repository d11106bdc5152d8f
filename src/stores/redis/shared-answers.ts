import { hkdfSync } from "node:crypto";
import { HoldfastError } from "../../core/errors.ts";
import { invalidOption, rejectUnknownOptions, readString, readWholeNumber } from "../../core/options.ts";
import type { SharedAnswers, SharedAnswersSource } from "../store.ts";
import { connectClient } from "./client.ts";
import { readMessage } from "./errors.ts";
import { RedisConnection } from "./connection.ts";
import { defineWrite } from "./script.ts";
import {
  describeAddress,
  checkPrefix,
  readAddress,
  type RedisAddress,
  type RedisAddressOptions,
} from "./address.ts";

export interface RedisAnswersOptions extends RedisAddressOptions {
  /**
   * What entries are named and sealed with: 32 random bytes or more, as text; the same for all who share. Of several,
   * separated by commas, the first.
   */
  secret: string;
  /** What the names of all keys begin with, without braces. Default `holdfast:`. */
  prefix?: string;
  /** How long a guard waits for an answer before it asks the authority, ms. Default 50. */
  timeoutMs?: number;
}

/** Names on a list at most. */
const MAX_LISTED = 10_000;
/** A list that nobody writes to goes after so long. */
const LIST_TTL_MS = 86_400_000;

const recordUse = defineWrite(`
for i = 2, #ARGV do redis.call('ZADD', KEYS[1], now, ARGV[i]) end
redis.call('ZREMRANGEBYRANK', KEYS[1], 0, -${MAX_LISTED + 1})
redis.call('PEXPIRE', KEYS[1], ${LIST_TTL_MS})`);

/**
 * An authority's answers in Redis, for all guards that are given the same secret: one server, a primary behind Sentinels,
 * or a cluster; it may be one that evicts. Needs the package `redis`, version 6. Throws `invalid_option`.
 *
 * ```ts
 * const shared = redisAnswers({ url: "redis://127.0.0.1:6379", secret: process.env.HOLDFAST_SECRET! });
 * ```
 */
export function redisAnswers(options: RedisAnswersOptions): SharedAnswersSource {
  const owner = "redisAnswers";
  rejectUnknownOptions(owner, options, ["url", "cluster", "sentinel", "secret", "prefix", "timeoutMs"]);
  const target = readAddress(options, owner);
  const prefix = checkPrefix(options.prefix ?? "holdfast:", owner);
  const bounds = { default: 50, min: 1, max: 60_000 };
  const timeoutMs = readWholeNumber(`${owner}: timeoutMs`, options.timeoutMs, bounds);
  const secret = readString(`${owner}: secret`, options.secret).split(",")[0]?.trim() ?? "";
  if (Buffer.byteLength(secret) < 32) {
    throw invalidOption(`${owner}: secret`, "at least 32 random bytes as text", options.secret);
  }
  const description = `redis ${describeAddress(target)}`;
  return {
    description,
    timeoutMs,
    // RFC 5869. The secret is random by contract, so no salt is needed.
    deriveKey: (purpose) =>
      new Uint8Array(hkdfSync("sha256", secret, "", `holdfast/1 answers ${purpose}`, 32)),
    open({ clock, random }) {
      const closing = new AbortController();
      let why = "not connected yet";
      const onDisturbance = (error: unknown) => {
        if (error instanceof Error) why = readMessage(error);
      };
      const open = async () => {
        try {
          return await connectClient(target, { random, onInterruption: onDisturbance }, closing.signal);
        } catch (error) {
          onDisturbance(error);
          throw error;
        }
      };
      const common = { description, clock, virtual: false, replicas: 0 };
      const link = RedisConnection.openInBackground(open, { ...common, commandTimeoutMs: timeoutMs });
      const close = async () => {
        closing.abort(new Error("closed"));
        await link.close();
      };
      const offline = () => new HoldfastError("store_unavailable", `${description}: ${why}`);
      return { ...createSharedAnswers(link, target.kind, prefix, offline), close };
    },
  };
}

/** `offline` says why there is no connection. */
function createSharedAnswers(
  link: RedisConnection,
  kind: RedisAddress["kind"],
  prefix: string,
  offline: () => HoldfastError,
): Omit<SharedAnswers, "close"> {
  const keyOf = (name: string) => `${prefix}{answer:${name}}`;
  const listOf = (list: string) => `${prefix}{answers:${list}}`;
  const command = async (key: string, words: readonly string[]) => {
    try {
      return await link.send(key, words, 0);
    } catch (error) {
      throw readMessage(error).includes("client is offline") ? offline() : error;
    }
  };
  return {
    async get(names) {
      const keys = names.map(keyOf);
      // In a cluster they are on many servers. Commands of one turn share a packet.
      const replies =
        kind === "cluster"
          ? await Promise.all(keys.map(async (key) => await command(key, ["GET", key])))
          : await command(keys[0] ?? "", ["MGET", ...keys]);
      return replies as (string | null)[];
    },
    async set(entries) {
      const set = async ({ name, text: value, ttlMs, replaces }: (typeof entries)[number]) => {
        const words = ["SET", keyOf(name), value, "PX", String(Math.ceil(ttlMs))];
        return await command(keyOf(name), replaces ? words : [...words, "NX"]);
      };
      await Promise.all(entries.map(set));
    },
    used: async (list, names) => void (await link.runScript(recordUse, [listOf(list)], names)),
    async recent(list) {
      const key = listOf(list);
      return (await command(key, ["ZRANGE", key, "0", String(MAX_LISTED - 1), "REV"])) as string[];
    },
  };
}
