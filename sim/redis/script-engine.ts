import { hash } from "node:crypto";
import { compileLua, type CompiledScript } from "../lua/compile.ts";
import { createGlobals } from "../lua/globals.ts";
import { Library, readText } from "../lua/library.ts";
import { formatGeneral, LuaError, LuaTable, type LuaValue } from "../lua/values.ts";
import { ErrorReply, type Reply } from "./reply.ts";

/** Runs a command for a script. */
export type RunCommand = (words: readonly string[]) => Reply;

/** Compiles scripts once, and runs them. Each server knows the scripts that it was sent. */
export class ScriptEngine {
  readonly #compiled = new Map<string, CompiledScript>();
  readonly #globals: LuaTable;
  #runCommand: RunCommand = () => null;

  constructor() {
    this.#globals = createGlobals();
    this.#globals.set("redis", this.#createLibrary());
  }

  /** Runs the script. Throws an error reply when it fails. */
  run(text: string, keys: readonly string[], args: readonly string[], runCommand: RunCommand): Reply {
    const script = this.#compile(text);
    this.#globals.set("KEYS", new LuaTable([...keys]));
    this.#globals.set("ARGV", new LuaTable([...args]));
    this.#runCommand = runCommand;
    let result: LuaValue;
    try {
      [result] = script.run();
    } catch (error) {
      if (!(error instanceof LuaError)) throw error;
      const place = `script: ${hash("sha1", Buffer.from(text, "latin1"))}, on @user_script:${script.line()}.`;
      throw new ErrorReply(`${describe(error)} ${place}`);
    }
    return toReply(result);
  }

  #compile(text: string): CompiledScript {
    const known = this.#compiled.get(text);
    if (known !== undefined) return known;
    try {
      const compiled = compileLua(text, this.#globals);
      this.#compiled.set(text, compiled);
      return compiled;
    } catch (error) {
      if (error instanceof LuaError) throw new ErrorReply(`ERR ${error.message}`);
      throw error;
    }
  }

  #createLibrary(): Library {
    const call = (values: readonly LuaValue[]) => toLua(this.#runCommand(values.map(toWord)));
    return new Library("redis", {
      call(...values) {
        try {
          return [call(values)];
        } catch (error) {
          throw error instanceof ErrorReply ? new LuaError(errorTable(error.message)) : error;
        }
      },
      pcall(...values) {
        try {
          return [call(values)];
        } catch (error) {
          if (error instanceof ErrorReply) return [errorTable(error.message)];
          throw error;
        }
      },
      sha1hex: (text) => [hash("sha1", Buffer.from(readText(text, 1, "sha1hex"), "latin1"))],
      error_reply: (text) => [errorTable(readText(text, 1, "error_reply").replace(/^-/, ""))],
      status_reply: (text) => [table("ok", readText(text, 1, "status_reply"))],
    });
  }
}

function table(key: string, value: LuaValue): LuaTable {
  const result = new LuaTable();
  result.set(key, value);
  return result;
}

function errorTable(message: string): LuaTable {
  return table("err", message);
}

/** The text of an error that ended a script. An error of a command has its code already. */
function describe({ value }: LuaError): string {
  const text = value instanceof LuaTable ? value.get("err") : `ERR ${String(value)}`;
  return typeof text === "string" ? text : "ERR the script raised a value that is no text";
}

/** A word of a command. Redis writes a number with 17 digits. */
function toWord(value: LuaValue): string {
  if (typeof value === "string") return value;
  if (typeof value === "number") return formatGeneral(value, 17);
  throw new LuaError("Lua redis lib command arguments must be strings or integers");
}

function toLua(reply: Reply): LuaValue {
  if (reply === null) return false;
  if (typeof reply !== "object") return reply;
  return "ok" in reply ? table("ok", reply.ok) : new LuaTable(reply.map(toLua));
}

/** A list ends at its first `nil`, and a number loses its fraction. */
function toReply(value: LuaValue): Reply {
  if (typeof value === "string") return value;
  if (typeof value === "number") return Math.trunc(value);
  if (value === true) return 1;
  if (!(value instanceof LuaTable)) return null;
  const error = value.get("err");
  if (typeof error === "string") throw new ErrorReply(error);
  const ok = value.get("ok");
  if (typeof ok === "string") return { ok };
  const end = value.list.indexOf(undefined);
  return value.list.slice(0, end < 0 ? undefined : end).map(toReply);
}
