import { HoldfastError } from "../../core/errors.ts";
import {
  invalidOption,
  option,
  readOptions,
  readString,
  rejectUnknownOptions,
  type OptionReader,
  type OptionTable,
} from "../../core/options.ts";

/** The address of a Redis deployment. The form of each URL has been checked. */
export type RedisAddress =
  | { readonly kind: "single"; readonly nodes: readonly [URL] }
  | { readonly kind: "cluster"; readonly nodes: readonly URL[] }
  /** The host of `primary` is the name that the Sentinels know it by. */
  | { readonly kind: "sentinel"; readonly primary: URL; readonly nodes: readonly URL[] };

/** The options that give the address of Redis. Exactly one of them is required. */
export interface RedisAddressOptions {
  /** One server: `redis://[user:password@]host[:port][/database]`, or `rediss:` for TLS. */
  url?: string;
  /** A cluster: some of its nodes, as such URLs. All nodes use the user, password and TLS of the first one. */
  cluster?: readonly string[];
  /** A primary behind Sentinels. `url` is such a URL with the primary's name as its host; `nodes` are the Sentinels. */
  sentinel?: { url: string; nodes: readonly string[] };
}

/** The checked address options. All but one are `undefined`. */
export interface RedisAddressSettings {
  readonly url: URL | undefined;
  readonly cluster: readonly URL[] | undefined;
  readonly sentinel: { readonly primary: URL; readonly nodes: readonly URL[] } | undefined;
}

/** The address options of `redisStore` and `redisAnswers`. */
export const redisAddressOptionTable: OptionTable<RedisAddressSettings> = {
  url: optional(readUrl),
  cluster: optional(readUrls),
  sentinel: optional(readSentinel),
};

/** Throws `invalid_option` unless exactly one option is given. `owner` is the function that the message names. */
export function selectAddress(owner: string, settings: RedisAddressSettings): RedisAddress {
  const { url, cluster, sentinel } = settings;
  if ([url, cluster, sentinel].filter((setting) => setting !== undefined).length !== 1) {
    throw new HoldfastError("invalid_option", `${owner} needs one of url, cluster and sentinel`);
  }
  if (cluster !== undefined) return { kind: "cluster", nodes: cluster };
  if (sentinel !== undefined) return { kind: "sentinel", ...sentinel };
  return { kind: "single", nodes: [url as URL] };
}

/** Reads and checks the address options alone. Throws `invalid_option`, naming `owner` and the option. */
export function readAddress(options: RedisAddressOptions, owner: string = "redisStore"): RedisAddress {
  const { url, cluster, sentinel } = options;
  return selectAddress(owner, readOptions(owner, { url, cluster, sentinel }, redisAddressOptionTable));
}

/** Describes the address for people, without credentials. */
export function describeAddress(address: RedisAddress): string {
  const places = address.nodes.map(({ host, pathname }) => host + pathname.replace(/\/$/, ""));
  const name = address.kind === "sentinel" ? `sentinel ${address.primary.host} at ` : "";
  return `${address.kind === "cluster" ? "cluster " : name}${places.join(", ")}`;
}

function optional<T>(read: (name: string, value: unknown) => T): OptionReader<T | undefined> {
  return option((name, value) => (value === undefined ? undefined : read(name, value)));
}

function readSentinel(name: string, value: unknown): { primary: URL; nodes: readonly URL[] } {
  rejectUnknownOptions(name, value, ["url", "nodes"]);
  const { url, nodes } = value as { url?: unknown; nodes?: unknown };
  return { primary: readUrl(`${name}.url`, url), nodes: readUrls(`${name}.nodes`, nodes) };
}

function readUrls(name: string, value: unknown): URL[] {
  if (!Array.isArray(value) || value.length === 0) throw invalidOption(name, "an array of URLs", value);
  return value.map((one) => readUrl(name, one));
}

function readUrl(name: string, value: unknown): URL {
  const url = URL.parse(readString(name, value));
  const isRedis = url !== null && /^rediss?:$/.test(url.protocol) && url.hostname !== "";
  if (!isRedis || !/^\/?\d*$/.test(url.pathname) || url.search !== "" || url.hash !== "") {
    throw invalidOption(name, "redis://[user:password@]host[:port][/database], or rediss:", value);
  }
  if (!isDecodable(url.username) || !isDecodable(url.password)) {
    throw invalidOption(name, "a URL whose user and password are percent-encoded (% is %25)", value);
  }
  return url;
}

function isDecodable(text: string): boolean {
  try {
    decodeURIComponent(text);
    return true;
  } catch {
    return false;
  }
}
