import type { Expression, FunctionDeclaration, TableConstructorExpression } from "luaparse";
import { notSimulated, type FunctionScope } from "./code-scope.ts";

/** Compiles the body of a function to the text of a function of JavaScript. */
export type CompileFunction = (node: FunctionDeclaration, scope: FunctionScope) => string;

type Call = Extract<Expression, { type: "CallExpression" | "TableCallExpression" | "StringCallExpression" }>;

const ARITHMETIC: ReadonlySet<string> = new Set(["+", "-", "*", "/", "%", "^"]);

/** Compiles expressions to JavaScript. The text of an expression is one value, unless the name says otherwise. */
export class ExpressionCompiler {
  readonly #compileFunction: CompileFunction;

  constructor(compileFunction: CompileFunction) {
    this.#compileFunction = compileFunction;
  }

  value(node: Expression, scope: FunctionScope): string {
    switch (node.type) {
      case "NilLiteral":
        return "undefined";
      case "BooleanLiteral":
      case "NumericLiteral":
        return `${node.value}`;
      case "StringLiteral":
        return JSON.stringify(node.value);
      case "VarargLiteral":
        return "varargs[0]";
      case "Identifier":
        return scope.resolve(node.name) ?? `lua.global(${JSON.stringify(node.name)})`;
      case "IndexExpression":
        return `lua.index(${this.value(node.base, scope)}, ${this.value(node.index, scope)})`;
      case "MemberExpression":
        return this.#member(node, scope);
      case "CallExpression":
      case "TableCallExpression":
      case "StringCallExpression":
        return `${this.#call(node, scope)}[0]`;
      case "FunctionDeclaration":
        return this.#compileFunction(node, scope);
      case "TableConstructorExpression":
        return this.#table(node, scope);
      case "UnaryExpression":
        return this.#unary(node, scope);
      case "BinaryExpression":
        return this.#binary(node.operator, node.left, node.right, scope);
      case "LogicalExpression": {
        const kept = scope.temporary();
        const left = `lua.isTrue(${kept} = ${this.value(node.left, scope)})`;
        const right = this.value(node.right, scope);
        return node.operator === "and" ? `(${left} ? ${right} : ${kept})` : `(${left} ? ${kept} : ${right})`;
      }
    }
    return notSimulated((node as Expression).type);
  }

  /** A condition, as a boolean of JavaScript. */
  condition(node: Expression, scope: FunctionScope): string {
    if (node.type === "LogicalExpression") {
      const operator = node.operator === "and" ? "&&" : "||";
      return `(${this.condition(node.left, scope)} ${operator} ${this.condition(node.right, scope)})`;
    }
    if (node.type === "UnaryExpression" && node.operator === "not")
      return `!${this.condition(node.argument, scope)}`;
    return `lua.isTrue(${this.value(node, scope)})`;
  }

  /** The values of a list of expressions, between the brackets of an array or of a call. */
  list(nodes: readonly Expression[], scope: FunctionScope): string {
    return nodes
      .map((node, i) =>
        i === nodes.length - 1 && isMultiple(node)
          ? `...${this.results(node, scope)}`
          : this.value(node, scope),
      )
      .join(", ");
  }

  /** All values of an expression, as an array. */
  results(node: Expression, scope: FunctionScope): string {
    if (node.type === "VarargLiteral") return "varargs";
    return isCall(node) ? this.#call(node, scope) : `[${this.value(node, scope)}]`;
  }

  #call(node: Call, scope: FunctionScope): string {
    if (node.base.type === "MemberExpression" && node.base.indexer === ":")
      return notSimulated("a call of a method");
    const callee = `lua.callable(${this.value(node.base, scope)})`;
    if (node.type === "CallExpression") return `${callee}(${this.list(node.arguments, scope)})`;
    const argument = node.type === "StringCallExpression" ? node.argument : node.arguments;
    return `${callee}(${this.value(argument, scope)})`;
  }

  #member(node: Extract<Expression, { type: "MemberExpression" }>, scope: FunctionScope): string {
    return `lua.index(${this.value(node.base, scope)}, ${JSON.stringify(node.identifier.name)})`;
  }

  #table({ fields }: TableConstructorExpression, scope: FunctionScope): string {
    const listed: Expression[] = [];
    const pairs: string[] = [];
    for (const field of fields) {
      if (field.type === "TableValue") {
        listed.push(field.value);
        continue;
      }
      const key = field.type === "TableKey" ? this.value(field.key, scope) : JSON.stringify(field.key.name);
      pairs.push(`[${key}, ${this.value(field.value, scope)}]`);
    }
    // A call that is not the last field has one value, also when it is the last one of the list.
    const isLast = fields.at(-1)?.type === "TableValue";
    const values = isLast
      ? this.list(listed, scope)
      : listed.map((node) => this.value(node, scope)).join(", ");
    return `lua.createTable([${values}], [${pairs.join(", ")}])`;
  }

  #unary(node: Extract<Expression, { type: "UnaryExpression" }>, scope: FunctionScope): string {
    if (node.operator === "not") return `!${this.condition(node.argument, scope)}`;
    const argument = this.value(node.argument, scope);
    if (node.operator === "#") return `lua.lengthOf(${argument})`;
    return node.operator === "-" ? `lua.arithmetic("-", 0, ${argument})` : notSimulated(node.operator);
  }

  #binary(operator: string, leftNode: Expression, rightNode: Expression, scope: FunctionScope): string {
    const left = this.value(leftNode, scope);
    const right = this.value(rightNode, scope);
    if (ARITHMETIC.has(operator)) return `lua.arithmetic("${operator}", ${left}, ${right})`;
    switch (operator) {
      case "..":
        return `lua.concatenate(${left}, ${right})`;
      case "==":
        return `(${left} === ${right})`;
      case "~=":
        return `(${left} !== ${right})`;
      case "<":
        return `lua.lessThan(${left}, ${right})`;
      case ">":
        return `lua.lessThan(${right}, ${left})`;
      case "<=":
        return `lua.lessOrEqual(${left}, ${right})`;
      case ">=":
        return `lua.lessOrEqual(${right}, ${left})`;
      default:
        return notSimulated(operator);
    }
  }
}

function isCall(node: Expression): node is Call {
  return (
    node.type === "CallExpression" ||
    node.type === "TableCallExpression" ||
    node.type === "StringCallExpression"
  );
}

/** Whether the expression can have several values. */
function isMultiple(node: Expression): boolean {
  return node.type === "VarargLiteral" || isCall(node);
}
