import assert from "node:assert/strict";
import { test } from "node:test";
import { flagOption, invalidValue, readChoice } from "../../src/core/option-values.ts";

const modes = ["deny", "cached", "local"] as const;

test("an error for an option without secrets shows the value, and suggests the word that it resembles", () => {
  const cases: [value: unknown, message: string][] = [
    ["lokal", 'degraded must be deny, cached or local; got "lokal"; did you mean local?'],
    ["LOCAL", 'degraded must be deny, cached or local; got "LOCAL"; did you mean local?'],
    ["everything", 'degraded must be deny, cached or local; got "everything"'],
    ["", "degraded must be deny, cached or local; got an empty string"],
    [true, "degraded must be deny, cached or local; got true"],
    [["deny", 1], 'degraded must be deny, cached or local; got ["deny", number]'],
    [{ mode: "deny" }, "degraded must be deny, cached or local; got a value of type object"],
  ];
  for (const [value, message] of cases) {
    assert.throws(() => readChoice("degraded", modes, value), { code: "invalid_option", message });
  }
  assert.equal(readChoice("degraded", modes, "local"), "local");
  assert.throws(() => flagOption(true).read("thread", "yes"), {
    message: 'thread must be true or false; got "yes"',
  });
});

test("the shown value is short, cannot steer a terminal, and hides the credentials of a URL", () => {
  const said = (value: unknown) => invalidValue("issuer", "a URL", value).message;
  assert.ok(said("x".repeat(10_000)).length < 200);
  assert.ok(said(Array.from({ length: 10_000 }, () => "x".repeat(1_000))).length < 800);
  assert.match(said("a\u001B[31m\n\u202Eb"), /^[\x20-\x7e…]+$/);
  assert.equal(said("https://user:hunter2@id.example"), "issuer must be a URL; got a string");
  const urls = ["https://user:hunter2@id.example", "http://id.example/jwks?key=hunter2"];
  for (const value of [...urls, urls]) assert.doesNotMatch(said(value), /hunter2/);
});
