import assert from "node:assert/strict";
import { test } from "node:test";
import { runInNewContext } from "node:vm";
import { copyOptions } from "../../src/core/option-checks.ts";
import {
  functionOption,
  invalidOption,
  option,
  readOptions,
  readString,
  readWholeNumber,
  rejectUnknownOptions,
  requireMethods,
  wholeOption,
  type OptionTable,
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
    message: 'jwks() has no option "freshMS"; it has freshMs, coolDownMs; did you mean freshMs?',
  });
  for (const notOptions of [null, 7, "x", [], undefined]) {
    assert.throws(() => rejectUnknownOptions("jwks()", notOptions, []), { code: "invalid_option" });
  }
  rejectUnknownOptions("jwks()", {}, []);
});

test("rejects an instance of a class that has none of the options, because every option would silently be its default", () => {
  const known = ["freshMs", "coolDownMs"];
  const Nameless = class {
    readonly #freshMs = 1;
    get fresh() {
      return this.#freshMs;
    }
  };
  Object.defineProperty(Nameless, "name", { value: "" });
  const bad: [value: object, got: string][] = [
    [new Map([["freshMs", 1]]), "an instance of Map"],
    [Promise.resolve({ freshMs: 1 }), "an instance of Promise"],
    [new Nameless(), "an instance of a class"],
  ];
  for (const [value, got] of bad) {
    assert.throws(() => rejectUnknownOptions("jwks()", value, known), {
      code: "invalid_option",
      message: `jwks() must be an object of options; got ${got}`,
    });
  }
  class Settings {
    readonly #freshMs = 1;
    get freshMs() {
      return this.#freshMs;
    }
  }
  const good = [
    new Settings(),
    Object.create(null) as object,
    Object.create({ freshMs: 1 }) as object,
    runInNewContext("({})") as object,
  ];
  for (const value of good) rejectUnknownOptions("jwks()", value, known);
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

interface Settings {
  readonly url: string;
  readonly attempts: number;
  readonly mode: "strict" | "lax";
  readonly random: () => number;
}

const table: OptionTable<Settings> = {
  url: option(readString),
  attempts: wholeOption(3, 1, 9),
  mode: option<"strict" | "lax">((name, value) => {
    if (value !== "strict" && value !== "lax") throw invalidOption(name, '"strict" or "lax"', value);
    return value;
  }, "strict"),
  random: functionOption(() => Math.random),
};

test("readOptions reads every option of a table, and applies the defaults", () => {
  const random = () => 0;
  assert.deepEqual(readOptions("test()", { url: "u" }, table), {
    url: "u",
    attempts: 3,
    mode: "strict",
    random: Math.random,
  });
  const options = { url: "u", attempts: 9, mode: "lax", random };
  assert.deepEqual(readOptions("test()", options, table), options);
});

test("readOptions rejects what the readers reject, and names the owner and the option", () => {
  const wrong: [unknown, string][] = [
    [{}, "test(): url must be a non-empty string; got undefined"],
    [{ url: "u", attempts: 10 }, "test(): attempts must be a whole number from 1 to 9; got 10"],
    [{ url: "u", mode: null }, 'test(): mode must be "strict" or "lax"; got null'],
    [{ url: "u", random: 0.5 }, "test(): random must be a function; got 0.5"],
    [{ url: "u", retries: 1 }, 'test() has no option "retries"; it has url, attempts, mode, random'],
    [null, "test() must be an object of options; got null"],
  ];
  for (const [options, message] of wrong) {
    assert.throws(() => readOptions("test()", options, table), { code: "invalid_option", message });
  }
});

test("readOptions treats an explicit undefined like an absent option", () => {
  const { attempts, mode } = readOptions("test()", { url: "u", attempts: undefined, mode: undefined }, table);
  assert.deepEqual([attempts, mode], [3, "strict"]);
});

test("a table states the defaults that the documentation shows", () => {
  const defaults = Object.entries(table).map(([name, reader]) => [name, reader.default as unknown]);
  assert.deepEqual(Object.fromEntries(defaults), {
    url: undefined,
    attempts: 3,
    mode: "strict",
    random: undefined,
  });
});

test("copyOptions reads each accessor once, and rejects what is not an object of options", () => {
  let reads = 0;
  const options = {
    get url() {
      return `u${++reads}`;
    },
  };
  const copy = copyOptions("test()", options);
  assert.deepEqual([copy.url, copy.url, reads], ["u1", "u1", 1]);
  for (const wrong of [null, undefined, [], "url", 5]) {
    assert.throws(() => copyOptions("test()", wrong as unknown as object), {
      code: "invalid_option",
      message: /^test\(\) must be an object of options; got /,
    });
  }
});

test("an unknown option that resembles a known one gets its name as advice, and another one gets none", () => {
  const known = ["audience", "clockToleranceMs", "issuer"];
  const hint = (name: string) => {
    try {
      rejectUnknownOptions("createGuard", { [name]: 1 }, known);
    } catch (error) {
      return /did you mean (\w+)\?$/.exec((error as Error).message)?.[1] ?? null;
    }
    return assert.fail("the option is accepted");
  };
  assert.equal(hint("audiance"), "audience");
  assert.equal(hint("clockTolerance"), "clockToleranceMs");
  assert.equal(hint("ISSUER"), "issuer");
  assert.equal(hint("retries"), null);
  assert.equal(hint("a".repeat(100_000)), null);
});
