import { isUtf8 } from "node:buffer";

/** Deepest nesting of objects and arrays. */
const MAX_DEPTH = 32;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COLON = 0x3a;

/**
 * The bytes of canonical base64url (RFC 7515 §2): no padding, no other alphabet, no white space, unused bits zero.
 * So there is one spelling for each sequence of bytes. `null` for any other.
 */
export function decodeBase64url(text: string): Buffer | null {
  const bytes = Buffer.from(text, "base64url");
  return bytes.toString("base64url") === text ? bytes : null;
}

/**
 * The JSON object that `bytes` spell, deeply frozen; `null` for anything that two readers could take differently:
 * bytes that are not UTF-8, a member named twice at any depth (RFC 7519 §4), half a surrogate pair, nesting past 32.
 */
export function parseJsonObject(bytes: Buffer): Record<string, unknown> | null {
  if (!isUtf8(bytes)) return null;
  const text = bytes.toString("utf8");
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return null;
  }
  if (!isObject(value) || Array.isArray(value)) return null;
  const members = countMembers(bytes);
  if (members < 0 || freezeAndCount(value) !== members) return null;
  return text.includes("\\u") && !hasWellFormedStrings(text) ? null : (value as Record<string, unknown>);
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}

/** How many members the objects of this JSON have, counting each spelling; -1 when it is nested too deep. */
function countMembers(json: Buffer): number {
  let members = 0;
  let depth = 0;
  for (let i = 0; i < json.length; i++) {
    const byte = json[i];
    if (byte === QUOTE) {
      while (json[++i] !== QUOTE) if (json[i] === BACKSLASH) i++;
    } else if (byte === COLON) members++;
    else if (byte === 0x7b || byte === 0x5b) {
      if (++depth > MAX_DEPTH) return -1;
    } else if (byte === 0x7d || byte === 0x5d) depth--;
  }
  return members;
}

/**
 * Freezes a parsed value to its depth and tells how many members were kept of those spelled: fewer, if a name
 * stood twice. `NaN` if one is `__proto__`, which whoever copies the claims would take for something else.
 */
export function freezeAndCount(value: object): number {
  let members = 0;
  if (Array.isArray(value)) {
    for (const item of value as unknown[]) if (isObject(item)) members += freezeAndCount(item);
  } else {
    if (Object.hasOwn(value, "__proto__")) return Number.NaN;
    for (const item of Object.values(value)) {
      members++;
      if (isObject(item)) members += freezeAndCount(item);
    }
  }
  Object.freeze(value);
  return members;
}

/** Whether no name and no string holds half a surrogate pair: written out as UTF-8, two such would be the same. */
function hasWellFormedStrings(json: string): boolean {
  let wellFormed = true;
  JSON.parse(json, (name: string, item: unknown) => {
    if (!name.isWellFormed() || (typeof item === "string" && !item.isWellFormed())) wellFormed = false;
    return item;
  });
  return wellFormed;
}
