import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { testStore } from "holdfast/store-conformance";
import { FakeClock } from "holdfast/testing";
import { mapStore } from "../../examples/own-store.ts";

const root = join(import.meta.dirname, "../..");
const source = readFileSync(join(root, "examples/own-store.ts"), "utf8");

testStore("a store that is built on holdfast/store-kit", () => {
  const clock = new FakeClock();
  const store = mapStore({ clock });
  return { store, clock, close: () => store.close() };
});

test("the example store imports only holdfast/store-kit", () => {
  const imported = [...source.matchAll(/ from "([^"]+)";/g)].map(([, specifier]) => specifier);
  assert.deepEqual(imported, ["node:crypto", "holdfast/store-kit"]);
});

test("docs/extend/writing-a-store.md shows the example store as it is", () => {
  const page = readFileSync(join(root, "docs/extend/writing-a-store.md"), "utf8");
  assert.ok(page.includes(`\`\`\`ts\n${source}\`\`\``));
});
