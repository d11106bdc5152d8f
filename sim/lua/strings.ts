import { Library, readNumber, readOptionalNumber, readText } from "./library.ts";
import { formatGeneral, LuaError, NotSimulatedError, type LuaValue } from "./values.ts";

/** The patterns of `string.find`, each with what it finds: a character that is no digit, or the first byte of a newer format. */
const patterns: ReadonlyMap<string, RegExp> = new Map([
  ["%D", /[^0-9]/],
  ["^[3-9].", /^[3-9]./s],
]);

/** The library `string` without other patterns. A text has one byte in each character. */
export const strings: Library = new Library("string", {
  len: (text) => [readText(text, 1, "len").length],
  sub(value, first, last) {
    const text = readText(value, 1, "sub");
    const start = toIndex(readNumber(first, 2, "sub"), text.length);
    const end = toIndex(readOptionalNumber(last, -1, 3, "sub"), text.length);
    return [text.slice(Math.max(start, 1) - 1, Math.max(end, 0))];
  },
  rep: (text, count) => [
    readText(text, 1, "rep").repeat(Math.max(0, Math.trunc(readNumber(count, 2, "rep")))),
  ],
  lower: (text) => [readText(text, 1, "lower").replaceAll(/[A-Z]/g, (letter) => letter.toLowerCase())],
  upper: (text) => [readText(text, 1, "upper").replaceAll(/[a-z]/g, (letter) => letter.toUpperCase())],
  byte(value, first, last) {
    const text = readText(value, 1, "byte");
    const start = toIndex(readOptionalNumber(first, 1, 2, "byte"), text.length);
    const end = toIndex(readOptionalNumber(last, start, 3, "byte"), text.length);
    const bytes = text.slice(Math.max(start, 1) - 1, Math.max(end, 0));
    return Array.from(bytes, (character) => character.charCodeAt(0));
  },
  char: (...codes) => [String.fromCharCode(...codes.map((code, i) => readNumber(code, i + 1, "char")))],
  find(value, wanted, first, isPlain) {
    const text = readText(value, 1, "find");
    const part = readText(wanted, 2, "find");
    const pattern = patterns.get(part);
    if (pattern !== undefined && first === undefined) {
      const found = pattern.exec(text);
      return found === null ? [undefined] : [found.index + 1, found.index + found[0].length];
    }
    if (isPlain === undefined || isPlain === false)
      throw new NotSimulatedError("string.find with a pattern of Lua");
    const start = Math.max(1, toIndex(readOptionalNumber(first, 1, 3, "find"), text.length));
    const at = text.indexOf(part, start - 1);
    return at < 0 ? [undefined] : [at + 1, at + part.length];
  },
  format: (template, ...values) => [format(readText(template, 1, "format"), values)],
});

/** A negative index counts from the end. */
function toIndex(number: number, length: number): number {
  const index = Math.trunc(number);
  return index < 0 ? Math.max(0, length + index + 1) : index;
}

const DIRECTIVE = /%(?:%|([-+ 0#]*)(\d*)(?:\.(\d*))?([a-zA-Z]))/g;

function format(template: string, values: readonly LuaValue[]): string {
  let used = 0;
  return template.replaceAll(DIRECTIVE, (directive, flags: string, width: string, precision, kind) => {
    if (directive === "%%") return "%";
    const position = ++used + 1;
    const value = values[used - 1];
    const digits = precision === undefined ? undefined : Number(precision);
    const text = formatOne(String(kind), value, digits, position);
    return pad(text, flags, Number(width), kind !== "s");
  });
}

function formatOne(kind: string, value: LuaValue, digits: number | undefined, position: number): string {
  switch (kind) {
    case "d":
    case "i":
      return String(BigInt(Math.trunc(readNumber(value, position, "format"))));
    case "f":
      return toFixed(readNumber(value, position, "format"), digits ?? 6);
    case "g":
      return formatGeneral(readNumber(value, position, "format"), digits ?? 6);
    case "x":
      return Math.trunc(readNumber(value, position, "format")).toString(16);
    case "s": {
      const text = readText(value, position, "format");
      return digits === undefined ? text : text.slice(0, digits);
    }
    default:
      throw new NotSimulatedError(`string.format with %${kind} of Lua`);
  }
}

/** `toFixed` of JavaScript writes a number from 10^21 on with an exponent. */
function toFixed(value: number, digits: number): string {
  if (!Number.isFinite(value)) return formatGeneral(value, 14);
  if (Math.abs(value) < 1e21) return value.toFixed(digits);
  if (digits !== 0) throw new LuaError("a number is too large to format");
  return String(BigInt(value));
}

function pad(text: string, flags: string, width: number, isNumber: boolean): string {
  if (flags.includes("-")) return text.padEnd(width);
  if (!flags.includes("0") || !isNumber) return text.padStart(width);
  const sign = text.startsWith("-") ? "-" : "";
  return sign + text.slice(sign.length).padStart(width - sign.length, "0");
}
