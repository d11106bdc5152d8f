import { isUtf8 } from "node:buffer";
import { isRecord } from "../core/json.ts";

/** The deepest accepted nesting of objects and arrays. */
const MAX_DEPTH = 32;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COLON = 0x3a;

/**
 * Decodes canonical base64url (RFC 7515 §2): no padding, no other alphabet, no white space, and unused bits are zero.
 * Each sequence of bytes therefore has exactly one encoding. `null` for every other text.
 */
export function decodeBase64url(text: string): Buffer | null {
  const bytes = Buffer.from(text, "base64url");
  return bytes.toString("base64url") === text ? bytes : null;
}

/**
 * Parses a JSON object and freezes it deeply. `null` for everything that two parsers could read differently. That is
 * text that is not UTF-8, a duplicate member at any depth (RFC 7519 §4), or half a surrogate pair. Nesting deeper than
 * 32 is rejected, too.
 */
export function parseJsonObject(bytes: Buffer): Readonly<Record<string, unknown>> | null {
  if (!isUtf8(bytes)) return null;
  const text = bytes.toString("utf8");
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return null;
  }
  if (!isRecord(value)) return null;
  const members = countMembers(bytes);
  if (members < 0 || freezeAndCount(value) !== members) return null;
  return text.includes("\\u") && !hasWellFormedStrings(text) ? null : value;
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}

/** Counts the members of all objects in valid JSON, duplicates included. -1 when the nesting is too deep. */
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
 * Freezes a parsed value deeply and counts its members. The count is smaller than that of the text when the text had a
 * duplicate. `NaN` when a member is named `__proto__`, because a copy of the claims would set a prototype.
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

/** Whether every name and string is well-formed. UTF-8 would encode all halves of surrogate pairs in the same way. */
function hasWellFormedStrings(json: string): boolean {
  let wellFormed = true;
  JSON.parse(json, (name: string, item: unknown) => {
    if (!name.isWellFormed() || (typeof item === "string" && !item.isWellFormed())) wellFormed = false;
    return item;
  });
  return wellFormed;
}
