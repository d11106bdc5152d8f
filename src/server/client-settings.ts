import { isScopeToken } from "../core/scopes.ts";
import { lifetimeBounds } from "../issuer/client-config.ts";
import { parseDuration } from "./duration.ts";
import { parseList, parsePair } from "./setting-parsers.ts";

/* Parsers of the settings about clients and their sessions. Each returns `undefined` for a text that it refuses. */

/** A client of the service, or the service as a client of a provider. */
export interface ClientCredentials {
  readonly id: string;
  readonly secret: string;
}

/** How long a session lives, in milliseconds. */
export interface SessionLifetime {
  readonly idleMs: number;
  readonly absoluteMs: number;
}

/** Parses `id:secret` pairs. */
export function parseClients(text: string): readonly ClientCredentials[] | undefined {
  const clients = parseList((part) => parsePair(part, 16))(text);
  const ids = new Set(clients?.map(([id]) => id));
  return ids.size === clients?.length ? clients.map(([id, secret]) => ({ id, secret })) : undefined;
}

/** Returns a parser of `id=value` pairs, each id once. */
export function parseMap<T>(
  parse: (text: string) => T | undefined,
): (text: string) => ReadonlyMap<string, T> | undefined {
  const parseEntry = (text: string): [id: string, value: T] | undefined => {
    const [, id, rest = ""] = /^([^=]+)=(.+)$/.exec(text) ?? [];
    const value = parse(rest);
    return id === undefined || value === undefined ? undefined : [id, value];
  };
  return (text) => {
    const pairs = parseList(parseEntry)(text);
    const values = new Map(pairs);
    return values.size === pairs?.length ? values : undefined;
  };
}

/** Parses scopes separated by blanks. */
export function parseScopes(text: string): readonly string[] | undefined {
  const scopes = text.split(/ +/);
  return scopes.every(isScopeToken) ? scopes : undefined;
}

/** Parses `idle/absolute`, two durations within the bounds of the issuer's lifetimes. */
export function parseSessionLifetime(text: string): SessionLifetime | undefined {
  const [idle = "", absolute = "", ...rest] = text.split("/");
  const parse = parseDuration(lifetimeBounds);
  const [idleMs, absoluteMs] = [parse(idle), parse(absolute)];
  if (rest.length > 0 || idleMs === undefined || absoluteMs === undefined) return undefined;
  return idleMs <= absoluteMs ? { idleMs, absoluteMs } : undefined;
}

/** Parses `id:secret`. */
export function parseClient(text: string): ClientCredentials | undefined {
  const [id, secret] = parsePair(text, 1) ?? [];
  return id === undefined || secret === undefined ? undefined : { id, secret };
}

/** Parses `name:password`, with a password of at least 8 characters. */
export function parseUser(text: string): { username: string; password: string } | undefined {
  const [username, password] = parsePair(text, 8) ?? [];
  return username === undefined || password === undefined ? undefined : { username, password };
}
