import assert from "node:assert/strict";
import { test } from "node:test";
import { compileModules } from "../support/compile-modules.ts";
import { readBlocks } from "./coming-from/page.ts";

/** One side of a diff: the lines that it keeps, and those that it removes or adds. */
const sideOf = (diff: string, sign: "-" | "+"): string =>
  diff
    .split("\n")
    .filter((line) => line.startsWith(" ") || line.startsWith(sign))
    .map((line) => line.slice(1))
    .join("\n");

test("both sides of the diffs for oidc-client-ts and auth0-spa-js compile", () => {
  const modules = ["oidc-client-ts", "auth0-spa-js"].flatMap((page) =>
    readBlocks(page, "diff").flatMap((diff, i) => [
      { name: `${page}-${i}-before.ts`, code: sideOf(diff, "-") },
      { name: `${page}-${i}-after.ts`, code: sideOf(diff, "+") },
    ]),
  );
  assert.equal(modules.length, 4);
  assert.equal(compileModules(modules), "");
});

// The packages of SuperTokens are not installed here.
test("the new sides of the diffs for SuperTokens compile", () => {
  const modules = readBlocks("supertokens", "diff").map((diff, i) => ({
    name: `supertokens-${i}.ts`,
    code: sideOf(diff, "+"),
  }));
  assert.equal(modules.length, 2);
  assert.equal(compileModules(modules), "");
});
