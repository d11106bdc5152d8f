import { degradedModes, type DegradedMode } from "../core/rules.ts";
import { BlockList, isIP } from "node:net";
import { isTrustworthy } from "../guard/fetch-json.ts";
import { isScopeToken } from "../core/scopes.ts";
import { readAddress, type RedisAddressOptions } from "../stores/redis/address.ts";

/* How the text of a setting is read; `undefined` refuses it. */

/** A comma list whose every part must be read. */
export function parseList<T>(
  read: (part: string) => T | undefined,
): (value: string) => readonly T[] | undefined {
  return (value) => {
    const parts = value.split(",").map((part) => read(part.trim()));
    return parts.includes(undefined) ? undefined : (parts as T[]);
  };
}

export function parseText(value: string): string | undefined {
  return value.trim() === "" ? undefined : value;
}

/** What a service does for others. */
export type Role = "issuer" | "gateway";

export function parseRole(value: string): Role | undefined {
  return value === "issuer" || value === "gateway" ? value : undefined;
}

export function parsePort(value: string): number | undefined {
  return /^\d{1,5}$/.test(value) && Number(value) <= 65_535 ? Number(value) : undefined;
}

export function parseHttpUrl(value: string): string | undefined {
  const url = URL.parse(value);
  if (url === null || !/^https?:$/.test(url.protocol) || /[?#]/.test(value) || url.username !== "") {
    return undefined;
  }
  return url.href.replace(/\/+$/, "");
}

export function parseHttpsUrl(value: string): string | undefined {
  const url = URL.parse(value);
  return url !== null && isTrustworthy(url) ? url.href : undefined;
}

/** `redis-sentinel://` is ours: a URL has one host, and Sentinels are several. */
export function parseRedisUrl(value: string): RedisAddressOptions | undefined {
  const sentinels = /^redis-sentinel:\/\/(?:([^@/]*)@)?([^@/]+)\/([\w.-]+)$/.exec(value);
  const [, credentials, nodes = "", name] = sentinels ?? [];
  const one = value.split(",").map((part) => part.trim());
  const target: RedisAddressOptions =
    sentinels !== null
      ? {
          sentinel: {
            url: `redis://${credentials === undefined ? "" : `${credentials}@`}${name}`,
            nodes: nodes.split(",").map((node) => `redis://${node}`),
          },
        }
      : one.length > 1
        ? { cluster: one }
        : { url: value };
  try {
    readAddress(target);
    return target;
  } catch {
    return undefined;
  }
}

export function parseDegradedMode(value: string): DegradedMode | undefined {
  const mode = value === "true" ? "local" : value === "false" ? "deny" : value;
  return degradedModes.find((known) => known === mode);
}

export function parseOrigin(value: string): string | undefined {
  const url = URL.parse(value);
  return url !== null && /^https?:$/.test(url.protocol) && url.origin === value ? value : undefined;
}

export function parsePair(value: string, minimum: number): [string, string] | undefined {
  const colon = value.indexOf(":");
  return colon > 0 && value.length - colon > minimum
    ? [value.slice(0, colon), value.slice(colon + 1)]
    : undefined;
}

export function parseClientScopes(value: string): [id: string, scopes: readonly string[]] | undefined {
  const [, id, granted = ""] = /^([^=]+)=(.+)$/.exec(value) ?? [];
  const scopes = granted.split(/ +/);
  return id !== undefined && scopes.every(isScopeToken) ? [id, scopes] : undefined;
}

/** Peers whose `X-Forwarded-For` counts: addresses and networks (`10.0.0.0/8`). */
export function parseTrustedProxies(value: string): BlockList | undefined {
  const trusted = new BlockList();
  for (const part of value.split(",")) {
    const [address = "", prefix, ...rest] = part.trim().split("/");
    const family = isIP(address) === 6 ? "ipv6" : "ipv4";
    const bits = prefix === undefined ? undefined : /^\d{1,3}$/.test(prefix) ? Number(prefix) : -1;
    const known = isIP(address) !== 0 && rest.length === 0;
    if (!known || (bits !== undefined && (bits < 0 || bits > (family === "ipv6" ? 128 : 32))))
      return undefined;
    if (bits === undefined) trusted.addAddress(address, family);
    else trusted.addSubnet(address, bits, family);
  }
  return trusted;
}
