import { HoldfastError } from "../../core/errors.ts";
import { invalidOption, rejectUnknownOptions, readString } from "../../core/options.ts";

/** Where Redis is; each address is a URL whose form was checked. */
export type RedisAddress =
  | { readonly kind: "single"; readonly nodes: readonly [URL] }
  | { readonly kind: "cluster"; readonly nodes: readonly URL[] }
  /** The host of `primary` is its name. */
  | { readonly kind: "sentinel"; readonly primary: URL; readonly nodes: readonly URL[] };

export interface RedisAddressOptions {
  /** One server: `redis://[user:password@]host[:port][/database]`, `rediss:` for TLS. */
  url?: string;
  /** A cluster: some of its nodes, as such URLs. User, password and TLS of the first are those of all. */
  cluster?: readonly string[];
  /** A primary that Sentinels watch: `url` is such a URL with the primary's name as its host; `nodes` are Sentinels. */
  sentinel?: { url: string; nodes: readonly string[] };
}

/** Throws `invalid_option`, naming `owner` and the option. */
export function readAddress(options: RedisAddressOptions, owner: string = "redisStore"): RedisAddress {
  const { url, cluster, sentinel } = options;
  if ([url, cluster, sentinel].filter((one) => one !== undefined).length !== 1) {
    throw new HoldfastError("invalid_option", `${owner} needs one of url, cluster and sentinel`);
  }
  if (cluster !== undefined) return { kind: "cluster", nodes: readUrls(`${owner}: cluster`, cluster) };
  if (sentinel === undefined) return { kind: "single", nodes: [readUrl(`${owner}: url`, url)] };
  rejectUnknownOptions(`${owner}: sentinel`, sentinel, ["url", "nodes"]);
  return {
    kind: "sentinel",
    primary: readUrl(`${owner}: sentinel.url`, sentinel.url),
    nodes: readUrls(`${owner}: sentinel.nodes`, sentinel.nodes),
  };
}

/** For people: without credentials. */
export function describeAddress(target: RedisAddress): string {
  const places = target.nodes.map(({ host, pathname }) => host + pathname.replace(/\/$/, ""));
  const name = target.kind === "sentinel" ? `sentinel ${target.primary.host} at ` : "";
  return `${target.kind === "cluster" ? "cluster " : name}${places.join(", ")}`;
}

/** Braces would decide which server of a cluster has a key. */
export function checkPrefix(value: unknown, owner: string): string {
  const prefix = readString(`${owner}: prefix`, value);
  if (/[{}]/.test(prefix)) throw invalidOption(`${owner}: prefix`, "a string without braces", value);
  return prefix;
}

function readUrls(name: string, value: unknown): URL[] {
  if (!Array.isArray(value) || value.length === 0) throw invalidOption(name, "an array of URLs", value);
  return value.map((one) => readUrl(name, one));
}

function readUrl(name: string, value: unknown): URL {
  const url = URL.parse(readString(name, value));
  const right = url !== null && /^rediss?:$/.test(url.protocol) && url.hostname !== "";
  if (!right || !/^\/?\d*$/.test(url.pathname) || url.search !== "" || url.hash !== "") {
    throw invalidOption(name, "redis://[user:password@]host[:port][/database], or rediss:", value);
  }
  return url;
}
