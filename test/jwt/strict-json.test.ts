import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { parseJsonObject } from "../../src/jwt/strict-json.ts";

/** The rule in its plain form: every name and string of the parsed value is well-formed, and no member is lost. */
function isAcceptable(json: string): boolean {
  let wellFormed = true;
  try {
    JSON.parse(json, (name: string, item: unknown) => {
      if (!name.isWellFormed() || (typeof item === "string" && !item.isWellFormed())) wellFormed = false;
      return item;
    });
  } catch {
    return false;
  }
  return wellFormed;
}

test("fault 74: a string with escapes is accepted exactly when it is JSON and well-formed", () => {
  const piece = fc.constantFrom(
    ...'\\ud83d \\uDE00 \\u0041 \\u00zz \\u12 \\n \\\\ \\" \\x a é 😀 \\uD800 \\udfff \\u :  { } u d83d'.split(
      " ",
    ),
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 8 }), fc.array(piece, { maxLength: 8 }), (name, value) => {
      const json = `{"n${name.join("")}":"${value.join("")}","last":["${value.join("")}"]}`;
      const duplicate = (() => {
        try {
          return Object.keys(JSON.parse(json) as object).length < 2;
        } catch {
          return false;
        }
      })();
      assert.equal(parseJsonObject(Buffer.from(json)) !== null, isAcceptable(json) && !duplicate, json);
    }),
    { numRuns: 2_000 },
  );
});

test("fault 74: text that is not JSON is refused, wherever it breaks off", () => {
  const json = '{"a":"\\ud83d\\ude00 \\u0041\\"","b":[{"c":1e3}],"d":null}';
  assert.notEqual(parseJsonObject(Buffer.from(json)), null);
  for (let end = 0; end < json.length; end++) {
    assert.equal(parseJsonObject(Buffer.from(json.slice(0, end))), null);
  }
});
