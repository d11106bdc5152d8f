import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { compileLua } from "../../sim/lua/compile.ts";
import { createGlobals } from "../../sim/lua/globals.ts";
import { NotSimulatedError } from "../../sim/lua/values.ts";

function run(text: string): unknown {
  return compileLua(text, createGlobals()).run();
}

void describe("the Lua of the simulation", () => {
  test("a name can be declared again from its own value, and a block hides it", () => {
    assert.deepEqual(run("local x = 1 local x = x + 1 do local x = 9 end return x"), [2]);
  });

  test("values are assigned at once, and a missing value is nil", () => {
    assert.deepEqual(run("local a, b, c = 1, 2 a, b = b, a return a, b, c"), [2, 1, undefined]);
  });

  test("all values of the last call count, and one value of every other call", () => {
    const twice = "local function two() return 1, 2 end ";
    assert.deepEqual(run(`${twice} return two(), two()`), [1, 1, 2]);
    assert.deepEqual(run(`${twice} return #{two(), two()}, (select('#', two()))`), [3, 2]);
  });

  test("a condition keeps the value of its last part, and 0 is true", () => {
    assert.deepEqual(run("return nil and 1, false or 0, 0 and 'yes', not nil"), [undefined, 0, "yes", true]);
  });

  test("loops count, iterate and end early", () => {
    assert.deepEqual(run("local sum = 0 for i = 10, 1, -3 do sum = sum + i end return sum"), [22]);
    assert.deepEqual(run("local t = {} for i, v in ipairs({4, 5, nil, 6}) do t[i] = v end return #t"), [2]);
    assert.deepEqual(run("local n = 0 while true do n = n + 1 if n == 4 then break end end return n"), [4]);
    const pairs = "local t = {} for k, v in pairs({7, a = 8}) do t[#t + 1] = k .. v end return unpack(t)";
    assert.deepEqual(run(pairs), ["17", "a8"]);
  });

  test("numbers become texts with 14 digits, and texts become numbers", () => {
    assert.deepEqual(run("return 1893456000000 .. '', 0.1 .. '', 1e15 .. '', '0x10' + 1, '5' * '2'"), [
      "1893456000000",
      "0.1",
      "1e+15",
      17,
      10,
    ]);
  });

  test("an error names the line of the script", () => {
    const error = { message: "user_script:2: attempt to index a nil value" };
    assert.throws(() => run("local t\nreturn t.x"), error);
  });

  test("a script can catch an error of a function that it calls, and goes on", () => {
    const half = "local function half(x) return x / 2, 'of ' .. x end ";
    assert.deepEqual(run(`${half} return pcall(half, '8')`), [true, 4, "of 8"]);
    assert.deepEqual(run(`${half} local isDone = pcall(half, 'x') return isDone`), [false]);
    assert.deepEqual(run("return pcall(error, 'why')"), [false, "why"]);
  });

  test("a function that the simulation lacks is an error that no script can catch", () => {
    const error = (thrown: unknown) =>
      thrown instanceof NotSimulatedError && thrown.message.startsWith("string.gsub of Lua");
    assert.throws(() => run("return string.gsub('a', 'a', 'b')"), error);
    assert.throws(() => run("return pcall(function() return string.gsub('a', 'a', 'b') end)"), error);
  });
});
