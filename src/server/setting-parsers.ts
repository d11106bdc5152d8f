import { BlockList } from "node:net";
import { addNetwork } from "../core/networks.ts";
import type { Audiences } from "../issuer/audiences.ts";

/* Parsers of setting texts. Each returns `undefined` for a text that it refuses. */

/** Returns a parser of a comma list. The list is refused when `parse` refuses one of its parts. */
export function parseList<T>(
  parse: (part: string) => T | undefined,
): (text: string) => readonly T[] | undefined {
  return (text) => {
    const parts = text.split(",").map((part) => parse(part.trim()));
    return parts.includes(undefined) ? undefined : (parts as T[]);
  };
}

/** Returns a parser that accepts these words only. */
export function parseOneOf<T extends string>(words: readonly T[]): (text: string) => T | undefined {
  return (text) => words.find((word) => word === text);
}

export function parseText(text: string): string | undefined {
  return text.trim() === "" ? undefined : text;
}

/** Returns a parser of a whole number from 0 to `max`, in decimal digits. */
export function parseWholeNumber(max: number): (text: string) => number | undefined {
  return (text) => {
    const isInRange = /^\d+$/.test(text) && text.length <= String(max).length && Number(text) <= max;
    return isInRange ? Number(text) : undefined;
  };
}

/** One audience stays a text, which is how the store has recorded the identity of a service. */
export function parseAudience(text: string): string | Audiences | undefined {
  const [own, ...others] = parseList(parseText)(text) ?? [];
  const isSet = new Set([own, ...others]).size === others.length + 1;
  if (own === undefined || !isSet) return undefined;
  return others.length === 0 ? own : [own, ...others];
}

/** Parses `name:value`. The value has at least `minimum` characters and may contain colons. */
export function parsePair(text: string, minimum: number): [name: string, value: string] | undefined {
  const colon = text.indexOf(":");
  return colon > 0 && text.length - colon > minimum
    ? [text.slice(0, colon), text.slice(colon + 1)]
    : undefined;
}

/** Parses a comma list of addresses and networks such as `10.0.0.0/8`. */
export function parseTrustedProxies(text: string): BlockList | undefined {
  const proxies = new BlockList();
  const isComplete = text.split(",").every((part) => addNetwork(proxies, part.trim()));
  return isComplete ? proxies : undefined;
}
