import assert from "node:assert/strict";
import { test } from "node:test";
import { createTable } from "../../src/cli/table.ts";

const columns = [
  ["NAME", 6],
  ["SCOPES", 8],
  ["STATE", 0],
] as const;

function linesOf(isTerminal: boolean, rows: readonly (readonly string[])[]): string[] {
  const lines: string[] = [];
  const printRow = createTable(columns, (line) => lines.push(line), isTerminal);
  for (const row of rows) printRow(row);
  return lines;
}

test("a list in a terminal has the titles once, above aligned columns", () => {
  assert.deepEqual(
    linesOf(true, [
      ["ada", "orders", "disabled"],
      ["charlemagne", "-"],
    ]),
    ["NAME    SCOPES    STATE", "ada     orders    disabled", "charlemagne  -"],
  );
});

test("an empty list has no titles", () => {
  assert.deepEqual(linesOf(true, []), []);
});

test("a list in a pipe has tabs and no titles, so that scripts read only rows", () => {
  assert.deepEqual(linesOf(false, [["ada", "orders", "disabled"]]), ["ada\torders\tdisabled"]);
});

test("control characters of a value do not reach the terminal", () => {
  for (const isTerminal of [true, false]) {
    assert.doesNotMatch(linesOf(isTerminal, [["a\u001B[2Jda\u202E", "x\ny"]]).join(""), /[\p{C}--\t]/v);
  }
});

test("a value with runs of blanks stays within one column of a terminal", () => {
  for (const blanks of [
    "      ",
    "\u00A0\u00A0\u00A0",
    "\u3000\u2003",
    " \u001B ",
    " \u200B \u2800 ",
    " \uFE0F ",
  ]) {
    const name = `phone${blanks}orders`;
    assert.equal(linesOf(true, [[name, "-", "x"]])[1], "phone orders  -         x", JSON.stringify(blanks));
  }
  assert.deepEqual(linesOf(true, [["  ada", "  ", "x"]])[1], "ada               x");
  assert.deepEqual(linesOf(true, [["\u2764\uFE0F", "-", "x"]])[1], "\u2764\uFE0F      -         x");
  assert.deepEqual(linesOf(false, [["ada   b", "x"]]), ["ada   b\tx"], "a script gets the value as it is");
});
