import { bits, structs } from "./binary.ts";
import { json } from "./json.ts";
import { Library, readNumber, readTable, readText } from "./library.ts";
import { callable } from "./operators.ts";
import { strings } from "./strings.ts";
import {
  LuaError,
  LuaTable,
  numberToString,
  stringToNumber,
  typeName,
  type LuaFunction,
  type LuaValue,
} from "./values.ts";

const math: Library = new Library("math", {
  floor: (value) => [Math.floor(readNumber(value, 1, "floor"))],
  ceil: (value) => [Math.ceil(readNumber(value, 1, "ceil"))],
  abs: (value) => [Math.abs(readNumber(value, 1, "abs"))],
  max: (...values) => [Math.max(...values.map((value, i) => readNumber(value, i + 1, "max")))],
  min: (...values) => [Math.min(...values.map((value, i) => readNumber(value, i + 1, "min")))],
  huge: Infinity,
});

const tables: Library = new Library("table", {
  concat(value, separator = "") {
    const { list } = readTable(value, 1, "concat");
    const texts = list.map((item) => readText(item, 1, "concat"));
    return [texts.join(readText(separator, 2, "concat"))];
  },
  insert(value, ...rest) {
    const table = readTable(value, 1, "insert");
    if (rest.length === 1) table.set(table.list.length + 1, rest[0]);
    else table.list.splice(readNumber(rest[0], 2, "insert") - 1, 0, rest[1]);
    return [];
  },
  remove(value, position) {
    const table = readTable(value, 1, "remove");
    const at = position === undefined ? table.list.length : readNumber(position, 2, "remove");
    return at < 1 || at > table.list.length ? [] : table.list.splice(at - 1, 1);
  },
});

function toText(value: LuaValue): string {
  if (typeof value === "string") return value;
  if (typeof value === "number") return numberToString(value);
  if (value === undefined || typeof value === "boolean") return value === undefined ? "nil" : String(value);
  return typeName(value);
}

const nextOfList: LuaFunction = (table, at) => {
  const key = (at as number) + 1;
  const value = (table as LuaTable).get(key);
  return value === undefined ? [undefined] : [key, value];
};

const nextOfTable: LuaFunction = (table, key) => (table as LuaTable).next(key) ?? [undefined];

const functions: Readonly<Record<string, LuaFunction>> = {
  tonumber: (value) => [typeof value === "string" ? stringToNumber(value) : numberOrNil(value)],
  tostring: (value) => [toText(value)],
  type: (value) => [typeName(value)],
  ipairs: (table) => [nextOfList, readTable(table, 1, "ipairs"), 0],
  pairs: (table) => [nextOfTable, readTable(table, 1, "pairs"), undefined],
  unpack(value, first = 1, last) {
    const table = readTable(value, 1, "unpack");
    const start = readNumber(first, 2, "unpack");
    const end = last === undefined ? table.list.length : readNumber(last, 3, "unpack");
    return Array.from({ length: Math.max(0, end - start + 1) }, (_, i) => table.get(start + i));
  },
  select: (at, ...values) => (at === "#" ? [values.length] : values.slice(readNumber(at, 1, "select") - 1)),
  error(value) {
    throw new LuaError(value);
  },
  pcall(called, ...values) {
    try {
      return [true, ...callable(called)(...values)];
    } catch (error) {
      if (error instanceof LuaError) return [false, error.value];
      throw error;
    }
  },
};

function numberOrNil(value: LuaValue): LuaValue {
  return typeof value === "number" ? value : undefined;
}

/** The global variables of every script. */
export function createGlobals(): LuaTable {
  const globals = new LuaTable();
  for (const [name, value] of Object.entries(functions)) globals.set(name, value);
  for (const [name, library] of Object.entries({
    string: strings,
    math,
    table: tables,
    bit: bits,
    struct: structs,
    cjson: json,
  }))
    globals.set(name, library);
  return globals;
}
