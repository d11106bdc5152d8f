import { Library, readText } from "./library.ts";
import { LuaError, LuaTable, type LuaValue } from "./values.ts";

/** `cjson.null`, which stands for the `null` of JSON. */
const NULL: LuaValue = Symbol("null");

/** The library `cjson` as far as the scripts use it. */
export const json: Library = new Library("cjson", {
  null: NULL,
  decode(value) {
    const text = Buffer.from(readText(value, 1, "decode"), "latin1").toString("utf8");
    try {
      return [toLua(JSON.parse(text) as unknown)];
    } catch (error) {
      throw new LuaError(`Expected value but found invalid token: ${(error as Error).message}`);
    }
  },
});

function toLua(value: unknown): LuaValue {
  if (value === null) return NULL;
  if (typeof value === "string") return Buffer.from(value, "utf8").toString("latin1");
  if (typeof value !== "object") return value as boolean | number;
  if (Array.isArray(value)) return new LuaTable(value.map(toLua));
  const table = new LuaTable();
  for (const [key, member] of Object.entries(value))
    table.set(Buffer.from(key, "utf8").toString("latin1"), toLua(member));
  return table;
}
