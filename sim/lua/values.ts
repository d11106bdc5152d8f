/*
 * The values of Lua 5.1 as values of JavaScript: `nil` is `undefined`, and a string holds one byte in each character.
 */

/** A value of Lua. The symbol is `cjson.null`. */
export type LuaValue = undefined | boolean | number | string | symbol | LuaTable | LuaFunction;

/** A function of Lua. It returns the list of its results. */
export type LuaFunction = (...args: LuaValue[]) => LuaValue[];

/** An error that Lua code raised. Its value is a text, or a table that Redis made of an error reply. */
export class LuaError extends Error {
  readonly value: LuaValue;

  constructor(value: LuaValue) {
    super(typeof value === "string" ? value : "an error that is no text");
    this.value = value;
  }
}

/** A script or command uses something that the simulation does not have. No script can catch this error. */
export class NotSimulatedError extends Error {
  constructor(what: string) {
    super(`${what} is not part of the simulation`);
  }
}

/** A table. The values of the keys 1, 2, 3 … are in a list, and all others in a map. */
export class LuaTable {
  readonly list: LuaValue[];
  #map: Map<LuaValue, LuaValue> | null = null;

  constructor(list: LuaValue[] = []) {
    this.list = list;
    this.#trim();
  }

  get(key: LuaValue): LuaValue {
    if (typeof key === "number" && key >= 1 && key <= this.list.length && Number.isInteger(key))
      return this.list[key - 1];
    return this.#map?.get(key);
  }

  set(key: LuaValue, value: LuaValue): void {
    const { list } = this;
    if (typeof key === "number" && Number.isInteger(key) && key >= 1 && key <= list.length + 1) {
      this.#setListed(key, value);
      return;
    }
    if (key === undefined || Number.isNaN(key))
      throw new LuaError(`table index is ${key === undefined ? "nil" : "NaN"}`);
    if (value === undefined) this.#map?.delete(key);
    else (this.#map ??= new Map<LuaValue, LuaValue>()).set(key, value);
  }

  /** The key and value after `key`. `null` after the last key. */
  next(key: LuaValue): [LuaValue, LuaValue] | null {
    let found = key === undefined;
    for (const entry of this.entries()) {
      if (found) return entry;
      found = entry[0] === key;
    }
    return null;
  }

  *entries(): Generator<[LuaValue, LuaValue]> {
    for (const [i, value] of this.list.entries()) if (value !== undefined) yield [i + 1, value];
    if (this.#map !== null) yield* this.#map;
  }

  #setListed(key: number, value: LuaValue): void {
    const { list } = this;
    list[key - 1] = value;
    if (value === undefined) this.#trim();
    else if (key === list.length) this.#moveFromMap();
  }

  /** Moves the values that now follow the list into it. */
  #moveFromMap(): void {
    for (let value; (value = this.#map?.get(this.list.length + 1)) !== undefined; this.list.push(value)) {
      this.#map?.delete(this.list.length + 1);
    }
  }

  #trim(): void {
    while (this.list.length > 0 && this.list.at(-1) === undefined) this.list.pop();
  }
}

export function typeName(value: LuaValue): string {
  if (value === undefined) return "nil";
  if (value instanceof LuaTable) return "table";
  return typeof value === "symbol" ? "userdata" : typeof value;
}

/** Formats a number with `digits` significant digits, as `%.*g` of C does. */
export function formatGeneral(value: number, digits: number): string {
  if (Number.isNaN(value)) return "nan";
  if (!Number.isFinite(value)) return value > 0 ? "inf" : "-inf";
  if (Number.isInteger(value) && Math.abs(value) < 10 ** Math.min(digits, 15))
    return Object.is(value, -0) ? "-0" : String(value);
  const [mantissa = "", power = "+0"] = value.toExponential(digits - 1).split("e");
  const exponent = Number(power);
  const isPlain = exponent >= -4 && exponent < digits;
  const text = isPlain ? value.toFixed(Math.min(100, digits - 1 - exponent)) : mantissa;
  const trimmed = text.includes(".") ? text.replace(/\.?0+$/, "") : text;
  if (isPlain) return trimmed;
  const sign = exponent < 0 ? "-" : "+";
  return `${trimmed}e${sign}${String(Math.abs(exponent)).padStart(2, "0")}`;
}

/** `tostring` of a number: Lua 5.1 keeps 14 significant digits. */
export function numberToString(value: number): string {
  return formatGeneral(value, 14);
}

const NUMERAL = /^\s*[+-]?(?:0x[\da-f]+|\d+\.?\d*(?:e[+-]?\d+)?|\.\d+(?:e[+-]?\d+)?)\s*$/i;
const SPECIAL = /^\s*([+-]?)(inf|infinity|nan)\s*$/i;

/** The number that a text stands for. `undefined` when it stands for none. */
export function stringToNumber(text: string): number | undefined {
  if (NUMERAL.test(text)) {
    const trimmed = text.trim();
    const isNegative = trimmed.startsWith("-");
    const magnitude = Number(trimmed.replace(/^[+-]/, ""));
    return isNegative ? -magnitude : magnitude;
  }
  const special = SPECIAL.exec(text);
  if (special === null) return undefined;
  if ((special[2] ?? "").toLowerCase() === "nan") return Number.NaN;
  return special[1] === "-" ? -Infinity : Infinity;
}

export function toNumber(value: LuaValue): number | undefined {
  if (typeof value === "number") return value;
  return typeof value === "string" ? stringToNumber(value) : undefined;
}
