import assert from "node:assert/strict";
import { inspect } from "node:util";
import { test } from "node:test";
import { refusalDetail } from "../../src/core/refusal-detail.ts";
import { invalidVerdict } from "../../src/core/verdict.ts";

test("law 6: a detail has a bounded size, whatever the token and the policy contain", () => {
  const long = "x".repeat(20_000);
  const many = Array.from({ length: 5_000 }, () => long);
  const detail = refusalDetail("https://id.example", long, many, many);
  assert.ok(JSON.stringify(detail).length < 5_000);
  assert.equal(detail.expected.length, 11);
  assert.equal(refusalDetail("https://id.example", "aud", [], { deep: long }).got, "an object");
  assert.deepEqual(refusalDetail("https://id.example", "aud", [], [1, null, { a: 1 }, [long]]).got, [
    1,
    null,
    "an object",
    "an array",
  ]);
});

test("a detail does not appear where a verdict is logged, compared or sent as JSON", () => {
  const verdict = invalidVerdict(
    "wrong_audience",
    refusalDetail("https://id.example", "aud", ["secret-api"], "other"),
  );
  assert.deepEqual(verdict.detail, {
    issuer: "https://id.example",
    claim: "aud",
    expected: ["secret-api"],
    got: "other",
  });
  assert.equal(JSON.stringify(verdict), '{"status":"invalid","reason":"wrong_audience"}');
  assert.doesNotMatch(inspect(verdict), /secret-api/);
  assert.deepEqual({ ...verdict }, { status: "invalid", reason: "wrong_audience" });
});
