import {
  LuaError,
  LuaTable,
  numberToString,
  toNumber,
  typeName,
  type LuaFunction,
  type LuaValue,
} from "./values.ts";

/*
 * The operators of Lua 5.1, which the compiled scripts call. No table has a metatable, because Redis has none to offer.
 */

type Operator = "+" | "-" | "*" | "/" | "%" | "^";

const OPERATIONS: Readonly<Record<Operator, (a: number, b: number) => number>> = {
  "+": (a, b) => a + b,
  "-": (a, b) => a - b,
  "*": (a, b) => a * b,
  "/": (a, b) => a / b,
  "%": (a, b) => a - Math.floor(a / b) * b,
  "^": (a, b) => a ** b,
};

export function arithmetic(operator: Operator, left: LuaValue, right: LuaValue): number {
  const a = toNumber(left);
  const b = toNumber(right);
  if (a !== undefined && b !== undefined) return OPERATIONS[operator](a, b);
  const culprit = a === undefined ? left : right;
  throw new LuaError(`attempt to perform arithmetic on a ${typeName(culprit)} value`);
}

export function lessThan(left: LuaValue, right: LuaValue): boolean {
  assertComparable(left, right);
  return (left as number) < (right as number);
}

export function lessOrEqual(left: LuaValue, right: LuaValue): boolean {
  assertComparable(left, right);
  return (left as number) <= (right as number);
}

/** JavaScript compares two texts by their characters, which are the bytes of Lua. */
function assertComparable(left: LuaValue, right: LuaValue): void {
  const type = typeName(left);
  if (type === typeName(right) && (type === "number" || type === "string")) return;
  const isSame = type === typeName(right);
  throw new LuaError(
    isSame ? `attempt to compare two ${type} values` : `attempt to compare ${type} with ${typeName(right)}`,
  );
}

export function concatenate(left: LuaValue, right: LuaValue): string {
  return toText(left) + toText(right);
}

function toText(value: LuaValue): string {
  if (typeof value === "string") return value;
  if (typeof value === "number") return numberToString(value);
  throw new LuaError(`attempt to concatenate a ${typeName(value)} value`);
}

export function lengthOf(value: LuaValue): number {
  if (typeof value === "string") return value.length;
  if (value instanceof LuaTable) return value.list.length;
  throw new LuaError(`attempt to get length of a ${typeName(value)} value`);
}

export function index(value: LuaValue, key: LuaValue): LuaValue {
  if (value instanceof LuaTable) return value.get(key);
  throw new LuaError(`attempt to index a ${typeName(value)} value`);
}

export function setIndex(target: LuaValue, key: LuaValue, value: LuaValue): void {
  if (!(target instanceof LuaTable)) throw new LuaError(`attempt to index a ${typeName(target)} value`);
  target.set(key, value);
}

/** Returns the function that the value is. */
export function callable(value: LuaValue): LuaFunction {
  if (typeof value === "function") return value;
  throw new LuaError(`attempt to call a ${typeName(value)} value`);
}

/** Creates the table of a constructor. */
export function createTable(list: LuaValue[], pairs: readonly (readonly [LuaValue, LuaValue])[]): LuaTable {
  const table = new LuaTable(list);
  for (const [key, value] of pairs) table.set(key, value);
  return table;
}

/** The number of a loop's bound. */
export function loopNumber(value: LuaValue, what: string): number {
  const number = toNumber(value);
  if (number === undefined) throw new LuaError(`'for' ${what} must be a number`);
  return number;
}
