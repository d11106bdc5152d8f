import { isUtf8 } from "node:buffer";
import { isRecord } from "../core/json.ts";

/** The deepest accepted nesting of objects and arrays. */
const MAX_DEPTH = 32;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COLON = 0x3a;
const LETTER_U = 0x75;

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
 * 32 is rejected, too. The cost is linear in the length, and the scan runs first, because it is cheaper than a parse.
 */
export function parseJsonObject(bytes: Buffer): Readonly<Record<string, unknown>> | null {
  if (!isUtf8(bytes)) return null;
  const members = countMembers(bytes);
  if (members < 0) return null;
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString("utf8"));
  } catch {
    return null;
  }
  return isRecord(value) && freezeAndCount(value) === members ? value : null;
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}

/**
 * Counts the members of all objects in valid JSON, duplicates included. The result is -1 when the nesting is too deep or
 * an escape is half a surrogate pair. The result for other text has no meaning.
 */
function countMembers(json: Buffer): number {
  let members = 0;
  let depth = 0;
  for (let i = 0; i < json.length; i++) {
    const byte = json[i];
    if (byte === QUOTE) {
      i = endOfString(json, i + 1);
      if (i < 0) return -1;
    } else if (byte === COLON) members++;
    else if (byte === 0x7b || byte === 0x5b) {
      if (++depth > MAX_DEPTH) return -1;
    } else if (byte === 0x7d || byte === 0x5d) depth--;
  }
  return members;
}

/**
 * Returns the index of the quotation mark that ends the string, or -1. UTF-8 cannot encode half a surrogate pair, so one
 * can only come from an escape, and both halves must be escapes that follow each other.
 */
function endOfString(json: Buffer, start: number): number {
  let i = start;
  let byte: number | undefined;
  while ((byte = json[i]) !== QUOTE) {
    if (byte === undefined) return -1;
    if (byte !== BACKSLASH) i++;
    else if (json[i + 1] !== LETTER_U) i += 2;
    else {
      const unit = readHex(json, i + 2);
      i += 6;
      if (unit >= 0xd800 && unit <= 0xdfff) {
        const isPair =
          unit < 0xdc00 &&
          json[i] === BACKSLASH &&
          json[i + 1] === LETTER_U &&
          isLowHalf(readHex(json, i + 2));
        if (!isPair) return -1;
        i += 6;
      }
    }
  }
  return i;
}

function isLowHalf(unit: number): boolean {
  return unit >= 0xdc00 && unit <= 0xdfff;
}

/** Reads four hexadecimal digits. The result is -1 for any other text, which JSON does not allow here. */
function readHex(json: Buffer, at: number): number {
  let unit = 0;
  for (let i = at; i < at + 4; i++) {
    const byte = json[i] ?? 0;
    const digit =
      byte >= 0x30 && byte <= 0x39
        ? byte - 0x30
        : byte >= 0x61 && byte <= 0x66
          ? byte - 0x57
          : byte >= 0x41 && byte <= 0x46
            ? byte - 0x37
            : -1;
    if (digit < 0) return -1;
    unit = unit * 16 + digit;
  }
  return unit;
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
