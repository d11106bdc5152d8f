import assert from "node:assert/strict";
import { test } from "node:test";
import {
  invalidOption,
  rejectUnknownOptions,
  requireMethods,
  readString,
  readWholeNumber,
} from "../../src/core/options.ts";

test("an option error names the option, what it must be and what it got, and never shows a string", () => {
  assert.throws(() => readWholeNumber("coolDownMs", "30s", { default: 1, min: 0 }), {
    code: "invalid_option",
    message: "coolDownMs must be a whole number of at least 0; got a string",
  });
  assert.throws(() => readWholeNumber("coolDownMs", 7.5, { default: 1, min: 0, max: 9 }), {
    message: "coolDownMs must be a whole number from 0 to 9; got 7.5",
  });
  assert.throws(() => readString("secret", ""), {
    message: "secret must be a non-empty string; got an empty string",
  });
  assert.equal(invalidOption("secret", "32 bytes", "hunter2").message.includes("hunter2"), false);
});

test("readWholeNumber applies the default for undefined, and both bounds are inclusive", () => {
  assert.equal(readWholeNumber("n", undefined, { default: 5, min: 1 }), 5);
  assert.equal(readWholeNumber("n", 1, { default: 5, min: 1, max: 1 }), 1);
  for (const bad of [Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53, null, true, [], {}, 0, 10n]) {
    assert.throws(() => readWholeNumber("n", bad, { default: 5, min: 1 }), { code: "invalid_option" });
  }
});

test("rejects an unknown option, because a misspelt option would silently mean its default", () => {
  assert.throws(() => rejectUnknownOptions("jwks()", { freshMS: 1 }, ["freshMs", "coolDownMs"]), {
    code: "invalid_option",
    message: 'jwks() has no option "freshMS"; it has freshMs, coolDownMs',
  });
  for (const notOptions of [null, 7, "x", [], undefined]) {
    assert.throws(() => rejectUnknownOptions("jwks()", notOptions, []), { code: "invalid_option" });
  }
  rejectUnknownOptions("jwks()", {}, []);
});

test("law 4: requireMethods names a missing method, and accepts an object of any class that has all of them", () => {
  const cache = { getCachedToken: () => null, setCachedToken: () => {} };
  assert.throws(() => requireMethods("the guard", "cache", cache, ["getCachedToken", "cacheToken"]), {
    code: "missing_method",
    message: "the guard needs cache with cacheToken(), which it lacks",
  });
  assert.throws(() => requireMethods("the guard", "cache", null, ["get"]), {
    code: "invalid_option",
    message: "the guard: cache must be an object with get; got null",
  });
  class CustomCache {
    get(): number {
      return 1;
    }
  }
  requireMethods("the guard", "cache", new CustomCache(), ["get"]);
});
