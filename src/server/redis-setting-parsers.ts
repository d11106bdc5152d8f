import { readAddress, type RedisAddressOptions } from "../stores/redis/address.ts";
import { parseList } from "./setting-parsers.ts";

/* Parsers of setting texts about Redis. Each returns `undefined` for a text that it refuses. */

/** Parses `REDIS_URL`. `redis-sentinel://` and `rediss-sentinel://` are schemes of this package, because a URL cannot name several hosts. */
export function parseRedisUrl(text: string): RedisAddressOptions | undefined {
  const address = splitRedisUrl(text);
  try {
    readAddress(address);
    return address;
  } catch {
    return undefined;
  }
}

function splitRedisUrl(text: string): RedisAddressOptions {
  const sentinel = /^(rediss?)-sentinel:\/\/(?:([^@/]*)@)?([^@/]+)\/([\w.-]+)$/.exec(text);
  if (sentinel !== null) {
    const [, scheme, credentials, nodes = "", name] = sentinel;
    const url = `${scheme}://${credentials === undefined ? "" : `${credentials}@`}${name}`;
    return { sentinel: { url, nodes: nodes.split(",").map((node) => `${scheme}://${node}`) } };
  }
  const nodes = text.split(",").map((part) => part.trim());
  return nodes.length > 1 ? { cluster: nodes } : { url: text };
}

/** Parses pairs such as `10.0.0.1:7000=redis.example.com:17000`. */
export function parseNodeAddressMap(
  text: string,
): ReadonlyMap<string, { host: string; port: number }> | undefined {
  const pairs = parseList((part): [string, { host: string; port: number }] | undefined => {
    const [, announced, host, port] = /^([^=\s]+:\d+)=([^=\s]+):(\d{1,5})$/.exec(part) ?? [];
    if (announced === undefined || host === undefined) return undefined;
    return [announced, { host, port: Number(port) }];
  })(text);
  return pairs === undefined ? undefined : new Map(pairs);
}
