import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { copyExample, runOwnTests } from "./coming-from/app.ts";
import { observe } from "./coming-from/drill.ts";
import { readBlocks, readMigrationPage, readTable } from "./coming-from/page.ts";

const OWN_TEST = "server.test.js";
const OWN_TESTS = 5;
const outages = readTable("index", "What an outage does");

for (const name of [
  "express-jwt",
  "express-oauth2-jwt-bearer",
  "jsonwebtoken",
  "passport-jwt",
  "fastify-jwt",
]) {
  const page = readMigrationPage(name);

  test(`the tests of the ${name} example pass before and after the diff of its page`, (t) => {
    assert.equal(runOwnTests(copyExample(t, name), OWN_TEST), OWN_TESTS);
    assert.equal(runOwnTests(copyExample(t, name, page), OWN_TEST), OWN_TESTS);
  });

  test(`law 1: answers and outages are as the page about ${name} says, before and after its diff`, async (t) => {
    const before = await observe(t, copyExample(t, name));
    const after = await observe(t, copyExample(t, name, page));
    const seen = [...before].map(([what, cell]): [string, string[]] => [what, [cell, after.get(what) ?? ""]]);
    assert.deepEqual(page.table("What clients see"), new Map(seen));

    const down = seen.filter(([what]) => what.startsWith("the provider ")).map(([, cells]) => cells);
    const oldRow = down.map(([cell]) => cell);
    const newRow = down.map(([, cell]) => cell);
    assert.deepEqual(outages.get(`[${name}](${name}.md)`), oldRow);
    assert.deepEqual(outages.get("Holdfast, after each of the diffs"), newRow);
    for (const cell of oldRow) assert.match(cell ?? "", /^(?:401|500|no answer)/);
    for (const cell of newRow) assert.match(cell ?? "", /^(?:200|503 with)/);
  });
}

test("protectAsBefore passes an optional route without a token on, and lets the verdict win over claims", () => {
  const [helper = ""] = readBlocks("express-jwt", "js");
  type Handler = (req: { auth?: object }, res: object, next: () => void) => void;
  // oxlint-disable-next-line typescript/no-implied-eval -- The code is what a reader pastes.
  const make = new Function("protect", "guard", `${helper}; return protectAsBefore({ optional: true })[1];`);
  const handler = (make as (protect: () => null, guard: null) => Handler)(() => null, null);
  let passed = 0;
  const next = () => void passed++;
  const anonymous = {};
  handler(anonymous, {}, next);
  assert.deepEqual(anonymous, {});
  const claims = { sub: "ann", status: "suspended" };
  const known: { auth: object } = { auth: { status: "valid", subject: "ann", claims } };
  handler(known, {}, next);
  assert.deepEqual(known.auth, { sub: "ann", status: "valid", subject: "ann", claims });
  assert.equal(passed, 2);
});

test("protectAsBefore of the page about express-jwt keeps the claims on req.auth", (t) => {
  const app = copyExample(t, "express-jwt", readMigrationPage("express-jwt"));
  const [helper = ""] = readBlocks("express-jwt", "js");
  const file = join(app.folder, "server.js");
  const moved = readFileSync(file, "utf8");
  const inSteps = moved
    .replaceAll("protect(guard, {", "protectAsBefore({")
    .replace("app.use(protect(guard));", `${helper}app.use(protectAsBefore());`)
    .replaceAll("req.auth.subject", "req.auth.sub");
  assert.notEqual(inSteps, moved);
  writeFileSync(file, inSteps);
  assert.equal(runOwnTests(app, OWN_TEST), OWN_TESTS);
});
