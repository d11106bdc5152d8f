import {
  LuaError,
  LuaTable,
  NotSimulatedError,
  numberToString,
  toNumber,
  typeName,
  type LuaFunction,
  type LuaValue,
} from "./values.ts";

/** A library of functions. A script that asks for a function that it lacks ends with an error that names it. */
export class Library extends LuaTable {
  readonly #name: string;

  constructor(name: string, functions: Readonly<Record<string, LuaFunction | LuaValue>>) {
    super();
    this.#name = name;
    for (const [key, value] of Object.entries(functions)) this.set(key, value);
  }

  override get(key: LuaValue): LuaValue {
    const value = super.get(key);
    if (value === undefined) throw new NotSimulatedError(`${this.#name}.${key as string} of Lua`);
    return value;
  }
}

/** Reads an argument that must be a text. A number becomes one. */
export function readText(value: LuaValue, position: number, owner: string): string {
  if (typeof value === "string") return value;
  if (typeof value === "number") return numberToString(value);
  throw badArgument(position, owner, `string expected, got ${describe(value)}`);
}

export function readNumber(value: LuaValue, position: number, owner: string): number {
  const number = toNumber(value);
  if (number !== undefined) return number;
  throw badArgument(position, owner, `number expected, got ${describe(value)}`);
}

/** Reads an optional argument that must be a number. */
export function readOptionalNumber(
  value: LuaValue,
  missing: number,
  position: number,
  owner: string,
): number {
  return value === undefined ? missing : readNumber(value, position, owner);
}

export function readTable(value: LuaValue, position: number, owner: string): LuaTable {
  if (value instanceof LuaTable) return value;
  throw badArgument(position, owner, `table expected, got ${describe(value)}`);
}

function badArgument(position: number, owner: string, why: string): LuaError {
  return new LuaError(`bad argument #${position} to '${owner}' (${why})`);
}

function describe(value: LuaValue): string {
  return value === undefined ? "no value" : typeName(value);
}
