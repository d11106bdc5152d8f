import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { copyExample, run, runOwnTests, type App } from "./coming-from/app.ts";
import { readMigrationPage, root } from "./coming-from/page.ts";

const name = "home-made-refresh";
const page = readMigrationPage(name);

/** The module keeps its tokens in localStorage, which Node has with these flags. */
const flags = ["--no-warnings", "--experimental-webstorage", "--localstorage-file=storage"];

test("the tests of the home-made refresh pass before and after the diff of its page", (t) => {
  assert.equal(runOwnTests(copyExample(t, name), "session.test.js", flags), 4);
  assert.equal(runOwnTests(copyExample(t, name, page), "session.test.js", flags), 4);
});

/** What the user sees, case by case. */
function observe(app: App): Record<string, string> {
  const drill = join(root, "test/docs/coming-from/session-drill.ts");
  return JSON.parse(run(app, [...flags, drill, app.folder])) as Record<string, string>;
}

test("law 1: refreshes that fail are as the page about the home-made refresh says", (t) => {
  const before = observe(copyExample(t, name));
  const after = observe(copyExample(t, name, page));
  const seen = Object.entries(before).map(([what, cell]) => [what, [cell, after[what]]] as const);
  assert.deepEqual(page.table("What changes for users"), new Map(seen));
  assert.ok(seen.every(([, [old, now]]) => old !== now));
});
