import { Library, readNumber, readText } from "./library.ts";
import { LuaError, NotSimulatedError, type LuaFunction, type LuaValue } from "./values.ts";

/* The libraries `bit` and `struct`, which Redis adds to Lua. */

const fold =
  (owner: string, operate: (a: number, b: number) => number): LuaFunction =>
  (...values) => [values.map((value, i) => Math.trunc(readNumber(value, i + 1, owner)) | 0).reduce(operate)];

const shift =
  (owner: string, operate: (value: number, by: number) => number): LuaFunction =>
  (value, by) => [operate(readNumber(value, 1, owner) | 0, readNumber(by, 2, owner) & 31) | 0];

/** The results are signed numbers of 32 bits. */
export const bits: Library = new Library("bit", {
  tobit: (value) => [readNumber(value, 1, "tobit") | 0],
  bnot: (value) => [~readNumber(value, 1, "bnot")],
  band: fold("band", (a, b) => a & b),
  bor: fold("bor", (a, b) => a | b),
  bxor: fold("bxor", (a, b) => a ^ b),
  lshift: shift("lshift", (value, by) => value << by),
  rshift: shift("rshift", (value, by) => value >>> by),
  arshift: shift("arshift", (value, by) => value >> by),
  rol: shift("rol", (value, by) => (value << by) | (value >>> (32 - by))),
  ror: shift("ror", (value, by) => (value >>> by) | (value << (32 - by))),
});

interface Item {
  readonly size: number;
  readonly kind: "signed" | "unsigned" | "text";
}

const KINDS = { i: "signed", I: "unsigned", c: "text" } as const;

/** Reads a format such as `>I4i2c10`: the order of the bytes, then the kind and size of each number or text. */
function readFormat(format: string): { isLittle: boolean; items: Item[] } {
  if (!/^[<>]?(?:[Ii]\d+|c[1-9]\d*)*$/.test(format)) {
    throw new NotSimulatedError(`the format "${format}" of struct`);
  }
  const items = Array.from(format.matchAll(/([Iic])(\d+)/g), ([, kind, size]) => ({
    size: Number(size),
    kind: KINDS[kind as keyof typeof KINDS],
  }));
  return { isLittle: !format.startsWith(">"), items };
}

/** Returns the bytes of a number, the lowest first. */
function toBytes(number: number, size: number): number[] {
  return Array.from({ length: size }, (_, i) => Math.floor(number / 256 ** i) & 255);
}

function unpack(formatText: LuaValue, value: LuaValue, first: LuaValue): LuaValue[] {
  const text = readText(value, 2, "unpack");
  const { isLittle, items } = readFormat(readText(formatText, 1, "unpack"));
  let at = first === undefined ? 0 : readNumber(first, 3, "unpack") - 1;
  const values = items.map(({ size, kind }) => {
    if (at + size > text.length) throw new LuaError("bad argument #2 to 'unpack' (data string too short)");
    const part = text.slice(at, at + size);
    at += size;
    if (kind === "text") return part;
    const bytes = Array.from(part, (character) => character.charCodeAt(0));
    if (isLittle) bytes.reverse();
    const number = bytes.reduce((sum, byte) => sum * 256 + byte, 0);
    return kind === "signed" && number >= 256 ** size / 2 ? number - 256 ** size : number;
  });
  return [...values, at + 1];
}

function pack(formatText: LuaValue, ...values: LuaValue[]): LuaValue[] {
  const { isLittle, items } = readFormat(readText(formatText, 1, "pack"));
  const bytes = items.flatMap(({ size, kind }, i) => {
    if (kind === "text") throw new NotSimulatedError("struct.pack of a text");
    const lowestFirst = toBytes(Math.trunc(readNumber(values[i], i + 2, "pack")), size);
    return isLittle ? lowestFirst : lowestFirst.toReversed();
  });
  return [String.fromCharCode(...bytes)];
}

export const structs: Library = new Library("struct", { pack, unpack });
