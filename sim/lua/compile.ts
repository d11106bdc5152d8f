import {
  parse,
  type Chunk,
  type Expression,
  type FunctionDeclaration,
  type Identifier,
  type Statement,
} from "luaparse";
import { FunctionScope, notSimulated } from "./code-scope.ts";
import { ExpressionCompiler } from "./expressions.ts";
import {
  arithmetic,
  callable,
  concatenate,
  createTable,
  index,
  lengthOf,
  lessOrEqual,
  lessThan,
  loopNumber,
  setIndex,
} from "./operators.ts";
import { LuaError, type LuaTable, type LuaValue } from "./values.ts";

/** A script that can run any number of times. */
export interface CompiledScript {
  /** Runs the script. Returns its results. */
  readonly run: () => LuaValue[];
  /** The line that runs, or that ran last. */
  readonly line: () => number;
}

/**
 * Compiles a script of Lua 5.1 to JavaScript, with its global variables. The text and the strings have one byte in each
 * character. Throws a `LuaError` for a syntax error, and a `NotSimulatedError` for a part of the language that the
 * compiler does not know.
 */
export function compileLua(text: string, globals: LuaTable): CompiledScript {
  const code = new Compiler().chunk(parseChunk(text));
  // The code is the translation of a script of this repository.
  // oxlint-disable-next-line typescript/no-implied-eval
  const create = new Function("lua", code) as (lua: object) => () => LuaValue[];
  const runtime = createRuntime(globals);
  return { run: create(runtime), line: () => runtime.line };
}

function parseChunk(text: string): Chunk {
  try {
    return parse(text, {
      luaVersion: "5.1",
      encodingMode: "pseudo-latin1",
      comments: false,
      locations: true,
    });
  } catch (error) {
    throw new LuaError(`Error compiling script: ${(error as Error).message}`);
  }
}

/** The functions that the compiled code calls. */
function createRuntime(globals: LuaTable): { line: number } {
  const runtime = {
    line: 0,
    arithmetic,
    callable,
    concatenate,
    createTable,
    index,
    lengthOf,
    lessOrEqual,
    lessThan,
    loopNumber,
    setIndex,
    isTrue: (value: LuaValue) => value !== undefined && value !== false,
    global(name: string): LuaValue {
      const value = globals.get(name);
      if (value === undefined)
        throw new LuaError(`Script attempted to access nonexistent global variable '${name}'`);
      return value;
    },
    /** Adds the line to an error of the script itself. An error of a command has no line. */
    located(error: unknown): unknown {
      const isOwn = error instanceof LuaError && typeof error.value === "string";
      return isOwn ? new LuaError(`user_script:${runtime.line}: ${error.value}`) : error;
    },
  };
  return runtime;
}

class Compiler {
  readonly #expressions = new ExpressionCompiler((node, scope) => this.#function(node, scope));

  chunk({ body }: Chunk): string {
    const scope = new FunctionScope();
    const code = this.#block(body, scope);
    const caught = "try { CODE return []; } catch (error) { throw lua.located(error); }";
    return `"use strict"; return () => { const varargs = []; ${declareTemporaries(scope)}${caught.replace("CODE", () => code)} };`;
  }

  #function(node: FunctionDeclaration, outer: FunctionScope): string {
    const scope = new FunctionScope(outer);
    const parameters = node.parameters.map((parameter) =>
      parameter.type === "Identifier" ? scope.declare(parameter.name) : "...varargs",
    );
    const code = this.#block(node.body, scope);
    return `((${parameters.join(", ")}) => { ${declareTemporaries(scope)}${code} return []; })`;
  }

  #block(statements: readonly Statement[], scope: FunctionScope): string {
    return scope.inBlock(() => statements.map((statement) => this.#located(statement, scope)).join("\n"));
  }

  #located(statement: Statement, scope: FunctionScope): string {
    return `lua.line = ${statement.loc?.start.line ?? 0}; ${this.#statement(statement, scope)}`;
  }

  #statement(node: Statement, scope: FunctionScope): string {
    const expressions = this.#expressions;
    switch (node.type) {
      case "LocalStatement":
        return this.#local(node.variables, node.init, scope);
      case "AssignmentStatement":
        return this.#assignment(node.variables, node.init, scope);
      case "CallStatement":
        return `${expressions.results(node.expression, scope)};`;
      case "ReturnStatement":
        return `return [${expressions.list(node.arguments, scope)}];`;
      case "BreakStatement":
        return "break;";
      case "DoStatement":
        return `{ ${this.#block(node.body, scope)} }`;
      case "WhileStatement":
        return `while (${expressions.condition(node.condition, scope)}) { ${this.#block(node.body, scope)} }`;
      case "IfStatement":
        return node.clauses
          .map((clause) => {
            const body = `{ ${this.#block(clause.body, scope)} }`;
            return clause.type === "ElseClause"
              ? body
              : `if (${expressions.condition(clause.condition, scope)}) ${body}`;
          })
          .join(" else ");
      case "ForNumericStatement":
        return this.#numericLoop(node, scope);
      case "ForGenericStatement":
        return this.#genericLoop(node, scope);
      case "FunctionDeclaration":
        return this.#namedFunction(node, scope);
      case "RepeatStatement":
      case "GotoStatement":
      case "LabelStatement":
        break;
    }
    return notSimulated(node.type);
  }

  #namedFunction(node: FunctionDeclaration, scope: FunctionScope): string {
    const { identifier } = node;
    if (!node.isLocal || identifier?.type !== "Identifier") return notSimulated("a global function");
    // The function can call itself, so its name is declared before its body is compiled.
    const name = scope.declare(identifier.name);
    return `let ${name} = ${this.#function(node, scope)};`;
  }

  #local(variables: readonly Identifier[], init: readonly Expression[], scope: FunctionScope): string {
    // The values are compiled before the names are declared: they may use an outer variable of the same name.
    const { code, values } = this.#values(variables.length, init, scope);
    const declared = variables.map(({ name }, i) => `${scope.declare(name)} = ${values[i]}`);
    return `${code} let ${declared.join(", ")};`;
  }

  #assignment(
    variables: readonly Extract<Statement, { type: "AssignmentStatement" }>["variables"][number][],
    init: readonly Expression[],
    scope: FunctionScope,
  ): string {
    const targets = variables.map((target) => this.#target(target, scope));
    const { code, values } = this.#values(variables.length, init, scope);
    const prepared = targets.map(({ prepare }) => prepare).join(" ");
    return `${prepared} ${code} ${targets.map(({ assign }, i) => assign(values[i] ?? "undefined")).join(" ")}`;
  }

  #target(node: Expression, scope: FunctionScope): { prepare: string; assign: (value: string) => string } {
    if (node.type === "Identifier") {
      const name =
        scope.resolve(node.name) ?? notSimulated(`an assignment to the global variable ${node.name}`);
      return { prepare: "", assign: (value) => `${name} = ${value};` };
    }
    if (node.type !== "IndexExpression" && node.type !== "MemberExpression")
      return notSimulated(`an assignment to ${node.type}`);
    const [table, key] = [scope.temporary(), scope.temporary()];
    const keyCode =
      node.type === "IndexExpression"
        ? this.#expressions.value(node.index, scope)
        : JSON.stringify(node.identifier.name);
    return {
      prepare: `${table} = ${this.#expressions.value(node.base, scope)}; ${key} = ${keyCode};`,
      assign: (value) => `lua.setIndex(${table}, ${key}, ${value});`,
    };
  }

  /** Evaluates the expressions. Returns code that does, and for each of `count` values the code that reads it. */
  #values(
    count: number,
    init: readonly Expression[],
    scope: FunctionScope,
  ): { code: string; values: string[] } {
    if (count === 1 && init.length === 1)
      return { code: "", values: [this.#expressions.value(init[0] as Expression, scope)] };
    if (init.length === 0) return { code: "", values: Array.from({ length: count }, () => "undefined") };
    const all = scope.temporary();
    return {
      code: `${all} = [${this.#expressions.list(init, scope)}];`,
      values: Array.from({ length: count }, (_, i) => `${all}[${i}]`),
    };
  }

  #numericLoop(node: Extract<Statement, { type: "ForNumericStatement" }>, scope: FunctionScope): string {
    const [counter, limit, step] = [scope.temporary(), scope.temporary(), scope.temporary()];
    const number = (value: Expression | null, what: string) =>
      value === null ? "1" : `lua.loopNumber(${this.#expressions.value(value, scope)}, "${what}")`;
    const head = `${counter} = ${number(node.start, "initial value")}; ${limit} = ${number(node.end, "limit")}; ${step} = ${number(node.step, "step")};`;
    return scope.inBlock(() => {
      // The loop copies the temporaries, because its body may start the same loop again.
      const [i, end, by] = [scope.declare("i"), scope.declare("limit"), scope.declare("step")];
      const name = scope.declare(node.variable.name);
      const body = this.#block(node.body, scope);
      return `${head} for (let ${i} = ${counter}, ${end} = ${limit}, ${by} = ${step}; ${by} > 0 ? ${i} <= ${end} : ${i} >= ${end}; ${i} += ${by}) { let ${name} = ${i}; ${body} }`;
    });
  }

  #genericLoop(node: Extract<Statement, { type: "ForGenericStatement" }>, scope: FunctionScope): string {
    const iterators = this.#expressions.list(node.iterators, scope);
    return scope.inBlock(() => {
      const [state, control, results] = ["state", "control", "results"].map((name) => scope.declare(name));
      const names = node.variables.map(({ name }) => scope.declare(name));
      const body = this.#block(node.body, scope);
      const variables = names.map((name, i) => `${name} = ${results}[${i}]`).join(", ");
      return `{ const ${state} = [${iterators}]; let ${control} = ${state}[2]; for (;;) {
        const ${results} = lua.callable(${state}[0])(${state}[1], ${control}); ${control} = ${results}[0];
        if (${control} === undefined) break; let ${variables}; ${body} } }`;
    });
  }
}

function declareTemporaries({ temporaries }: FunctionScope): string {
  return temporaries.length === 0 ? "" : `let ${temporaries.join(", ")}; `;
}
